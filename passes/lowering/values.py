"""What a node of the planned graph has become while it is lowered."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import fx

from ...ir.plans import QuantizedOperand, QuantizedProbabilities, ratios
from .layout import Layout


@dataclass(frozen=True)
class Scaled:
    """An int16 value, or a wide one (`ir.ops.wide`).

    scale: float64 (T,), the real value of one step at each call. exponent: int64, broadcasts to the captured
    graph's axes; a step is 2^(exponent / 4) times the scale. None where all have the scale itself.
    """

    node: fx.Node
    scale: torch.Tensor
    layout: Layout
    exponent: torch.Tensor | None = None
    wide: bool = False

    def along(self, axis: int) -> torch.Tensor | None:
        """The exponents along an axis, int64 (size,); None where they change along others."""
        size = self.layout.shape[axis]
        if self.exponent is None:
            return torch.zeros(size, dtype=torch.int64)
        places = [place for place, length in enumerate(self.exponent.shape) if length != 1]
        return (
            self.exponent.reshape(-1).expand(size)
            if places in ([], [axis % len(self.layout.shape)])
            else None
        )

    def scales(self, axis: int) -> torch.Tensor | None:
        """Of one step at each call along an axis, float64 (T, size); None where they change along others."""
        exponent = self.along(axis)
        return None if exponent is None else self.scale[:, None] * ratios(exponent)


@dataclass(frozen=True)
class Joined:
    """A concatenation whose parts keep their scales.

    parts: as they are stored. axis: the captured graph's. scale: float64 (T,), one that holds all
    parts in 16 bits.
    """

    node: fx.Node
    layout: Layout
    parts: tuple[Scaled, ...]
    axis: int
    scale: torch.Tensor

    @property
    def wide(self) -> bool:
        """Whether all parts are wide; none is where one isn't."""
        return self.parts[0].wide

    def scales(self, axis: int) -> torch.Tensor | None:
        """Of one step at each call along an axis, float64 (T, size); None where they change along others."""
        found = [part.scales(axis) for part in self.parts]
        if axis % len(self.layout.shape) != self.axis or any(one is None for one in found):
            return None
        return torch.cat([one for one in found if one is not None], dim=1)


@dataclass(frozen=True)
class OperandCodes:
    """A grouped operand's codes, uint8, with the tables that products need.

    axis: the captured graph's axis along which the groups lie.
    """

    node: fx.Node
    layout: Layout
    plan: QuantizedOperand
    zero: fx.Node
    multiple: fx.Node
    group: fx.Node
    axis: int

    @property
    def tables(self) -> tuple[fx.Node, fx.Node, fx.Node, int]:
        """What products are told about the codes: zero, multiple, group, axis as it is stored."""
        return self.zero, self.multiple, self.group, self.layout.place(self.axis)


@dataclass(frozen=True)
class PixelPatches:
    """A convolution's operand that is quantized while its patches are gathered."""

    source: Scaled
    plan: QuantizedOperand


@dataclass(frozen=True)
class CodeRows:
    """Some rows of the values of a split attention. source: the site whose rows they are."""

    source: fx.Node


@dataclass(frozen=True)
class Logits:
    """An int32 value in units of 2^-16 octaves, stored plainly."""

    node: fx.Node


@dataclass(frozen=True)
class PendingProbabilities:
    """Softmax, not yet emitted: its codes depend on the plan of the site that follows."""

    logits: Logits
    start: bool


@dataclass(frozen=True)
class StartProbabilities:
    """The start token's column of probabilities; it is emitted with the others'."""


@dataclass(frozen=True)
class StartProduct:
    """The start token's part of an attention's output; it is emitted with the others'."""


@dataclass(frozen=True)
class ProbabilityCodes:
    """Quantized probabilities: what `dgqc::softmax_*` returns."""

    codes: fx.Node
    mantissa: fx.Node
    exponent: fx.Node
    first: fx.Node
    start: bool
    keys: int
    plan: QuantizedProbabilities


@dataclass(frozen=True)
class OthersProduct:
    """The other tokens' part of an attention's output; it is emitted where the two are added.

    values: the old graph's site of all the values.
    """

    probabilities: ProbabilityCodes
    values: fx.Node


LoweredValue = (
    Scaled
    | Joined
    | OperandCodes
    | PixelPatches
    | CodeRows
    | Logits
    | PendingProbabilities
    | StartProbabilities
    | StartProduct
    | ProbabilityCodes
    | OthersProduct
)
