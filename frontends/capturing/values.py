"""What stands for the result of an exported op while its model is rewritten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

CapturedValue = Any
"""An fx.Node, a Constant, a Padded, an Expanded, a Complex, a number, None, or a list of these."""


@dataclass(frozen=True, eq=False)
class Constant:
    """A tensor known at compile time: a parameter, a buffer, or folded from such.

    name: the attribute path in the finished graph, `down_blocks.0.resnets.0.conv1.weight`.
    is_parameter: whether it becomes a parameter (frozen) or a buffer.
    """

    tensor: torch.Tensor
    name: str
    is_parameter: bool = False


@dataclass(frozen=True)
class Padded:
    """A value with zeros around its last two dimensions, waiting for the convolution that absorbs them."""

    value: fx.Node
    left: int
    right: int
    top: int
    bottom: int


@dataclass(frozen=True)
class Expanded:
    """A value that repeats along axes of size 1, up to this shape. What broadcasts takes it as it is."""

    value: fx.Node
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Complex:
    """A complex value as its two parts, each an fx.Node or a Constant."""

    real: Any
    imaginary: Any


@dataclass(frozen=True)
class Mean:
    """What a mean is of: a value, over which of its axes, in order. Written-out norms are found by it."""

    source: fx.Node
    axes: tuple[int, ...]
