"""Constants of a model that stand where values do: learned tokens, positions, gains."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import fx

from .values import LoweredValue


class LoweredValues(dict[fx.Node, LoweredValue]):
    """What each node has become. A constant becomes a value where it is first asked for as one.

    lower: makes it so.
    """

    def __init__(self, lower: Callable[[fx.Node], LoweredValue]) -> None:
        super().__init__()
        self._lower = lower

    def __missing__(self, node: fx.Node) -> LoweredValue:
        if not isinstance(node, fx.Node) or node.op != "get_attr":
            raise KeyError(node)
        self[node] = self._lower(node)
        return self[node]


def constant_codes(tensor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A constant as int16 with the real value of a step, float64 ()."""
    real = tensor.double()
    scale = real.abs().max().clamp(min=1e-30) / 32767
    return torch.round(real / scale).to(torch.int16), scale
