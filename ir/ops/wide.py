"""Wide values: 20 bits in an int32, whose steps are a 16th of a 16-bit value's.

A few values of some networks cost the output so much that 16 bits are too few for them: a residual sum of
which little is left in the end, what a norm brings to size one.
"""

from __future__ import annotations

import torch
from torch import fx

from ..arithmetic.fixed_point import saturate16
from ..nodes import argument
from ..verify.checks import Problem, Problems, VerificationRule, VerificationScope, type_name
from .integer import Known, ValueRange

NARROW_BITS, WIDE_BITS = 16, 20
FINER = 1 << (WIDE_BITS - NARROW_BITS)
"""Steps of a wide value in one of a 16-bit value."""
LIMITS = (-(1 << (WIDE_BITS - 1)), (1 << (WIDE_BITS - 1)) - 1)


def saturated(y: torch.Tensor, width: int) -> torch.Tensor:
    """int64 clamped to 16 bits as int16, or to 20 bits as int32."""
    return saturate16(y) if width == NARROW_BITS else y.clamp(*LIMITS).to(torch.int32)


def type_of(width: int) -> torch.dtype:
    """What a result of so many bits is stored as."""
    return torch.int16 if width == NARROW_BITS else torch.int32


def sixteenths(x: torch.Tensor) -> torch.Tensor:
    """A value in 16ths of a 16-bit step, int64. x: int16, or wide."""
    return x.to(torch.int64) * (FINER if x.dtype == torch.int16 else 1)


def of_width(node: fx.Node, known: Known) -> ValueRange | None:
    """What comes out of an op with an argument `width`: a record's `values`."""
    return LIMITS if argument(node, "width") == WIDE_BITS else None


def one_of_both_widths(node: fx.Node, scope: VerificationScope) -> Problems:
    """The argument `width` is 16 or 20."""
    width = argument(node, "width")
    if width not in (NARROW_BITS, WIDE_BITS):
        yield Problem(f"width={width}", "16 or 20", "a pass let a number through unchecked")


def narrow_or_wide(name: str) -> VerificationRule:
    """A 16-bit value, or a wide one whose numbers have 20 bits for certain."""

    def check(node: fx.Node, scope: VerificationScope) -> Problems:
        given = argument(node, name)
        value = scope.values.get(given)
        if not isinstance(value, torch.Tensor) or value.dtype not in (torch.int16, torch.int32):
            yield Problem(
                f"{name} of {type_name(value)}", "int16 or int32", "the value before was not lowered"
            )
        elif value.dtype == torch.int32:
            low, high = scope.value_range(given)
            if low < LIMITS[0] or high > LIMITS[1]:
                yield Problem(f"{name} from {low} to {high}", "20 bits", "an op before it has no width")

    return check
