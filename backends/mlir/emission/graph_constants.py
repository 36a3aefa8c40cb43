"""The constants of the integer graph, as lowerings ask for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import fx

from ....ir.tensors import constant

COLUMNS = 64
"""So many of a weight are looked at together."""


@dataclass(frozen=True)
class HeldWeight:
    """A product's weight. name: of the constant. held: int8 (N, ..., C), as the graph holds it."""

    name: str
    held: torch.Tensor

    @property
    def shape(self) -> torch.Size:
        return self.held.shape

    def by_column(self, of: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """What `of` makes of int8 (n, taps, C), all of it one after another.

        What it makes on the way is several times as wide as the weight, so that some columns go at a time.
        """
        taps = self.held.reshape(self.shape[0], -1, self.shape[-1])
        return torch.cat([of(taps[first : first + COLUMNS]) for first in range(0, len(taps), COLUMNS)])


@dataclass(frozen=True)
class GraphConstants:
    """module: the graph that holds them. weight_bits: the width of weights, by name."""

    module: fx.GraphModule
    weight_bits: Mapping[str, int]

    def constant(self, name: str) -> torch.Tensor:
        """A constant by its name."""
        return constant(self.module, name).detach()

    def weight(self, name: str) -> HeldWeight:
        """A constant (N, ..., C) that may be as large as memory allows."""
        return HeldWeight(name, self.constant(name))
