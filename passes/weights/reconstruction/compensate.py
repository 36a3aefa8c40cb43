"""Rounding with compensation (optimal brain quantizer, GPTQ): what rounding one weight changes, those that
are still to be rounded take back. No gradient descent: one look at each layer's inputs.

A layer of many inputs is taken a span of them after the other: each makes up for what the spans before left
over, as for the errors of the layers before. So time grows with the inputs, not with their square, and the
memory for a layer is a few hundred megabytes at any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import fx

from ....ir.devices import CPU
from ....ir.errors import DgqcError
from ....ir.plans import Weight
from ....ir.storage.mapped import let_go
from .cache import Learned
from .compensated_rounding import Factor, factors_of, rounded
from .fit import Fit, fits_of
from .layer_rows import LayerRows, Span
from .learn import Task
from .row_means import means
from .tracks import Tracks

SPAN = 2560
"""Inputs that are looked at together."""


@dataclass(frozen=True)
class InputMoments:
    """Of what enters a layer: the mean of x^T x, float64 (K, K), damped for rounding, and for moving weights
    beforehand, None where they stay."""

    matrix: torch.Tensor
    rounding: Factor
    moving: Factor | None


KnownMoments = dict[fx.Node, InputMoments]
"""By the value that they are of: layers that read one value share them."""


@dataclass(frozen=True)
class GivenLayer:
    """rows: of what enters it. codes, scale: what it came with, int8 (N, K) and float64 (N,), where rows lie.
    limit: codes are from its negative on and below it."""

    rows: LayerRows
    codes: torch.Tensor
    scale: torch.Tensor
    limit: int


@dataclass(frozen=True)
class RoundedLayer:
    """codes: int8 (N, K). given, found: how near the codes that the layer came with are, and these."""

    codes: torch.Tensor
    given: Fit
    found: Fit


@dataclass(frozen=True)
class Compensation:
    """How a layer is rounded.

    damping: by what share the power of each input counts more than it was; more trusts the samples less.
    ridge: likewise, where weights move to make up for errors of the layers before; 0 leaves those alone.
    rows: of the layer's input, at most, the same number of each UNet call.
    """

    damping: float
    ridge: float
    rows: int

    def __post_init__(self) -> None:
        if self.damping <= 0 or self.ridge < 0 or self.rows < 1:
            raise DgqcError("Compensation takes a damping above 0, a ridge of 0 or more and at least 1 row.")

    def __call__(self, task: Task, known: KnownMoments) -> Learned:
        """Codes and scale of the unit's only weight, or those it came with where they are exact or no worse.

        Errors are means of |x w^ - x w|^2 over the rows x that the quantized network gives, w the float
        weights moved so that x w is near what the float network has there. known: is added to.
        """
        (product,) = task.unit.products
        rows = LayerRows(task, product, max(1, self.rows // len(task.samples.steps)))
        plan, spans = task.weights[rows.name], rows.spans(SPAN)
        if _is_exact(plan, rows.weight):
            return Learned({rows.name: plan.codes}, {}, 0.0, 0.0)
        given = plan.codes.reshape(rows.matrix.shape).to(rows.weight.device)
        layer = GivenLayer(rows, given, plan.scale.to(given.device), 2 ** (plan.bits - 1))
        outcome = self._at_once(layer, spans[0], known) if len(spans) == 1 else self._by_spans(layer, spans)
        let_go(rows.weight)
        scale = outcome.found.best_scale(plan.scale)
        before, after = outcome.given.error(plan.scale), outcome.found.error(scale)
        if not after < before:
            return Learned({rows.name: plan.codes}, {}, before, before)
        codes = outcome.codes.reshape(plan.codes.shape)
        return Learned({rows.name: codes}, {}, before, after, {rows.name: scale.to(CPU)})

    def _at_once(self, layer: GivenLayer, span: Span, known: KnownMoments) -> RoundedLayer:
        """Of a layer whose inputs are one span."""
        rows, weight = layer.rows, layer.rows.matrix

        def missed(chunk: int, x: torch.Tensor) -> torch.Tensor:
            return rows.targets(chunk) - x @ weight.T

        held = known.get(rows.site)
        sizes = weight.shape[1], [(missed, len(weight))]
        matrix, (drift,) = means(rows.chunks, lambda chunk: rows.inputs(chunk, span), *sizes, held is None)
        if matrix is not None:
            held = self._moments(matrix)
            if len(rows.site.users) > 1 and weight.dim() == layer.rows.weight.dim():  # no patches
                known[rows.site] = held
        assert held is not None
        wanted = _moved(weight.double(), held.moving, drift)
        codes = rounded(wanted / layer.scale[:, None], held.rounding, layer.limit)
        return RoundedLayer(codes, *fits_of((layer.codes, codes), wanted, held.matrix))

    def _by_spans(self, layer: GivenLayer, spans: Sequence[Span]) -> RoundedLayer:
        """Of a layer with more inputs."""
        tracks, weight, found = Tracks(layer.rows, spans, layer.codes), layer.rows.matrix, []
        scale = layer.scale.float()

        def missed(chunk: int, _: torch.Tensor) -> torch.Tensor:
            return tracks.missed[chunk]

        def left(chunk: int, _: torch.Tensor) -> torch.Tensor:
            return tracks.wanted[chunk] - tracks.reached[chunk] * scale

        for span in spans:
            tracks.take(span)
            part = weight[:, span.columns].double()
            outcomes = [(one, len(weight)) for one in (missed, left)]
            matrix, (drift, rest) = means(layer.rows.chunks, tracks.x, part.shape[1], outcomes, moments=True)
            assert matrix is not None
            moments = self._moments(matrix)
            wanted = _moved(part, moments.moving, drift)
            aimed = wanted + moments.rounding.solved(rest)
            codes = rounded(aimed / layer.scale[:, None], moments.rounding, layer.limit)
            tracks.advance(wanted, codes)
            found.append(codes)
        return RoundedLayer(torch.cat(found, dim=1), *tracks.fits())

    def _moments(self, matrix: torch.Tensor) -> InputMoments:
        rounding, *moving = factors_of(matrix, [self.damping, *([self.ridge] if self.ridge else [])])
        return InputMoments(matrix, rounding, moving[0] if moving else None)


def _is_exact(plan: Weight, weight: torch.Tensor) -> bool:
    """Whether codes stand for a weight as it is, as those of a Hadamard matrix do."""
    scale = plan.scale.reshape(-1, *[1] * (plan.codes.dim() - 1))
    return torch.equal((plan.codes.double() * scale).to(weight.device), weight.double())


def _moved(weight: torch.Tensor, factor: Factor | None, drift: torch.Tensor) -> torch.Tensor:
    """The weight, moved towards what was missed; as it is without a factor."""
    return weight if factor is None else weight + factor.solved(drift)
