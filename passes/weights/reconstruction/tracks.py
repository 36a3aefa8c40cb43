"""What a layer's outputs are while its inputs are rounded a span after the other, on all samples' rows.

Each process has those of its own chunks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ....ir.parallel import side_by_side
from .fit import Fit
from .layer_rows import LayerRows, Span
from .row_means import own_chunks, sums


class Tracks:
    """Outputs so far, by chunk, float32 (rows, N) each, and the rows of the span at hand.

    missed: what the float network has beyond the weights as they are by now, moved as far as they are.
    wanted, reached: of the spans that are done, what moved weights give, and their codes at a scale of 1.
    given: of all spans, what the codes that the layer came with give.
    """

    def __init__(self, rows: LayerRows, spans: Sequence[Span], given: torch.Tensor) -> None:
        """given: codes, int8 (N, inputs)."""
        self.rows, self._span, self._held = rows, spans[0], dict[int, torch.Tensor]()
        self.missed: dict[int, torch.Tensor] = {}
        self.wanted: dict[int, torch.Tensor] = {}
        self.reached: dict[int, torch.Tensor] = {}
        self.given: dict[int, torch.Tensor] = {}

        def begun(chunk: int) -> tuple[torch.Tensor, torch.Tensor]:
            missed = rows.targets(chunk)
            codes = torch.zeros_like(missed)
            for span in spans:
                x = rows.inputs(chunk, span)
                missed = missed - x @ rows.matrix[:, span.columns].T
                codes += x @ given[:, span.columns].to(x).T
            return missed, codes

        own = own_chunks(rows.chunks)
        for chunk, (missed, codes) in zip(own, side_by_side(begun, own), strict=True):
            self.missed[chunk], self.given[chunk] = missed, codes
            self.wanted[chunk], self.reached[chunk] = torch.zeros_like(missed), torch.zeros_like(missed)

    def take(self, span: Span) -> None:
        """Goes to the next span."""
        self._span = span
        self._held.clear()

    def x(self, chunk: int) -> torch.Tensor:
        """Rows of the span at hand, held until the next is taken."""
        if chunk not in self._held:
            self._held[chunk] = self.rows.inputs(chunk, self._span)
        return self._held[chunk]

    def advance(self, wanted: torch.Tensor, codes: torch.Tensor) -> None:
        """The span at hand is done: its weights moved, float64 (N, size), and their codes."""
        moved = (wanted - self.rows.matrix[:, self._span.columns]).float()
        real, rounded = wanted.float(), codes.to(moved.device, torch.float32)

        def add(chunk: int) -> None:
            x = self.x(chunk)
            self.missed[chunk].addmm_(x, moved.T, alpha=-1)
            self.wanted[chunk].addmm_(x, real.T)
            self.reached[chunk].addmm_(x, rounded.T)

        for _ in side_by_side(add, own_chunks(self.rows.chunks)):
            pass

    def fits(self) -> tuple[Fit, Fit]:
        """Of the codes that the layer came with, and of those found, once all spans are done."""

        def add(chunk: int, totals: list[torch.Tensor]) -> None:
            wanted, given, reached = self.wanted[chunk], self.given[chunk], self.reached[chunk]
            pairs = ((wanted, wanted), (given, wanted), (given, given), (reached, wanted), (reached, reached))
            totals[0] += len(wanted)
            for total, (a, b) in zip(totals[1:], pairs, strict=True):
                total += (a.double() * b).sum(dim=0)

        outputs = torch.zeros(len(self.rows.weight), dtype=torch.float64)
        count, *found = sums(self.rows.chunks, add, [torch.zeros(()), *(outputs for _ in range(5))])
        energy, *others = (one / count for one in found)
        return Fit(others[0], others[1], energy), Fit(others[2], others[3], energy)
