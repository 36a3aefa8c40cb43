"""`measure-error`: how far each layer's integers are from the float model, for the report."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import torch
from torch import fx

from ...ir.calibration import Inputs, reads, spaced
from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.nodes import argument
from ...ir.ops.integer import is_product, product_of
from ...ir.ops.wide import FINER
from ...ir.plans import Plan, QuantizedActivation16
from ...ir.program import Program
from ...ir.progress import track
from ...ir.ranks import shared_out
from ..base import Pass
from ..graph.batches import arguments, call_bytes
from ..graph.edit import MILLION, aten, constant, module_path, weight_count
from ..lowering.lower_integer import LowerInteger
from ..manager.failures import snapshot
from ..manager.registry import register_pass
from .block_interpreter import BlockInterpreter
from .score_maps import score_map
from .wide_values import decibels_of_call, scales_beside

log = logging.getLogger("dgqc")

LayerError = tuple[str, float, float]
"""Of a layer: module path, signal, noise."""
ScoreMaps = dict[str, list[list[float]]]
"""By the attention's module."""


@register_pass
@dataclass(frozen=True)
class MeasureError(Pass):
    """Runs one calibration sample through the float graph and through its integers, and compares each layer.

    The figure is the signal-to-noise ratio of a layer's output in decibels, all error up to there included:
    10 log10(sum y^2 / sum (y - y^)^2). `integers` is that of the network's output by call where nothing but
    16-bit values is rounded: what integers cost without quantization. `scores` are maps of the float
    network's attention probabilities, but for attentions that are too large to be held. The program stays as
    it is.

    calls: how many calls of the schedule to measure, evenly spaced. most: millions of weights; of a model
    with more only the first call is measured, since its integers take a minute a call.
    """

    calls: int = 2
    most: int = 100

    name: ClassVar[str] = "measure-error"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"tables", "probabilities", "weights"})

    def run(self, program: Program) -> Program:
        if program.calibration is None:
            raise DgqcError("measure-error needs calibration samples; give some with --calib.")
        calls = 1 if weight_count(program.graph) > self.most * MILLION else self.calls
        if calls < self.calls:
            log.warning("measure-error looks at the first call alone, since the model is large.")
        integers = LowerInteger().run(replace(program, graph=snapshot(program)))
        steps = spaced(len(program.schedule), calls)

        def of_layers(read: tuple[int, Iterator[Inputs]]) -> tuple[list[LayerError], ScoreMaps]:
            (real,) = arguments(program, {name: value[:1] for name, value in next(read[1]).items()})
            comparison = _Comparison(program, _integer_layers(integers, real, read[0]))
            comparison.compare(real, read[0])
            return comparison.found, comparison.scores

        scores: dict[str, dict[str, Any]] = {}
        energy: dict[str, tuple[float, float]] = {}
        by_call: dict[str, dict[str, float | None]] = {}
        # Side by side with each other, too: of a large model one call alone is measured.
        works = [
            partial(work, read)
            for work in (of_layers, partial(decibels_of_call, program))
            for read in reads(program.calibration, steps)
        ]
        shared = shared_out(lambda work: work(), works, call_bytes(program, 1))
        found: list[Any] = list(track(shared, "measuring error", len(works)))
        values = found[len(steps) :]
        for (layers, maps), step in zip(found, steps, strict=False):
            scores[str(step)] = maps
            by_call[str(step)] = {path: _decibels(signal, noise) for path, signal, noise in layers}
            for path, signal, noise in layers:
                before = energy.get(path, (0.0, 0.0))
                energy[path] = before[0] + signal, before[1] + noise
        decibels = {path: _decibels(*both) for path, both in energy.items()}
        alone = {str(step): one for step, one in zip(steps, values, strict=True)}
        measured_here = {"calls": steps, "decibels": decibels, "by_call": by_call, "integers": alone}
        return program.with_report(self.name, {**measured_here, "scores": scores})


def _decibels(signal: float, noise: float) -> float | None:
    return round(10 * math.log10(signal / noise), 2) if noise and signal else None


def _integer_layers(
    program: Program, real: tuple[torch.Tensor, ...], step: int
) -> Mapping[str, torch.Tensor]:
    """The 16-bit results of the layers as the float graph has them, by node name."""
    found: dict[str, torch.Tensor] = {}

    class Recorder(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            value = super().run_node(n)
            if is_product(n) and value.dtype is torch.int16:
                # Images are channels last.
                found[n.name] = value.permute(0, 3, 1, 2) if _is_convolution(program, n) else value
            return value

    integers = []
    for value, item in zip(real, program.inputs, strict=True):
        codes = torch.floor(value.double() / item.steps(step) + 0.5)
        integers.append(codes.clamp(-32768, 32767).to(torch.int16))
    with torch.no_grad():
        Recorder(program.graph).run(*integers, torch.tensor(step))
    return found


def _is_convolution(program: Program, node: fx.Node) -> bool:
    product = product_of(node)
    if product is None or product.weight is None:
        return False
    return constant(program.graph, argument(node, product.weight)).dim() == 4


class _Comparison(BlockInterpreter):
    """Runs the float graph and notes the layers that stand in both: module path, signal, noise; and what
    attentions look at."""

    def __init__(self, program: Program, layers: Mapping[str, torch.Tensor]) -> None:
        super().__init__(program)
        self.layers = layers
        self.found: list[LayerError] = []
        self.scores: ScoreMaps = {}

    def compare(self, real: tuple[torch.Tensor, ...], step: int) -> None:
        self.step = step
        with torch.no_grad():
            self.run(*real, torch.tensor(step))

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if n.target is aten.softmax.int and isinstance(value, torch.Tensor) and value.dim() > 2:
            self.scores[module_path(n)] = score_map(value)
        plan, found = self._plan_of(n), self.layers.get(n.name)
        if isinstance(plan, QuantizedActivation16) and found is not None:
            wanted = value.double()
            steps = FINER if found.dtype == torch.int32 else 1
            scale = scales_beside(plan, n)[self.step].to(wanted.device)
            error = found.to(wanted.device).double() * scale / steps - wanted
            signal, noise = float(wanted.square().sum()), float(error.square().sum())
            self.found.append((module_path(n), signal, noise))
        return value

    def _plan_of(self, n: fx.Node) -> Plan | None:
        """What is decided on a node's result: as a part of a sum, or by itself."""
        return self.plans.get(f"{n.name}.part") or self.plans.get(f"{n.name}.output")
