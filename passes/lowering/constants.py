"""Constants of a model that stand where values do: learned tokens, positions, gains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import fx

from .layout import Layout
from .values import LoweredValue, Scaled

if TYPE_CHECKING:
    from .builder import IntegerGraphBuilder


class LoweredValues(dict[fx.Node, LoweredValue]):
    """What each node has become. A constant becomes 16 bits wide where it is first asked for as a value."""

    def __init__(self, builder: IntegerGraphBuilder) -> None:
        super().__init__()
        self._builder = builder

    def __missing__(self, node: fx.Node) -> LoweredValue:
        if not isinstance(node, fx.Node) or node.op != "get_attr":
            raise KeyError(node)
        tensor = self._builder.weight(node).double()
        scale = tensor.abs().max().clamp(min=1e-30) / 32767
        codes = torch.round(tensor / scale).to(torch.int16)
        constant = self._builder.constant(f"{node.target}.codes", codes)
        self[node] = Scaled(constant, scale.expand(self._builder.calls), Layout.plain(tensor.shape))
        return self[node]
