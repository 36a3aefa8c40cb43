"""`dgqc::quantize`: 16-bit values to grouped codes of up to 8 bits."""

from __future__ import annotations

import torch

from ..verify.argument_rules import CODE_BITS, group_vector, per_group, plain_number, value_type
from ..verify.checks import both
from ..verify.overflow_proofs import quantize_bound
from .blocks import along_rows
from .fake import fake
from .integer import IntegerOp, bit_codes, register_integer


def along(values: torch.Tensor, dimensions: int, axis: int) -> torch.Tensor:
    """A vector (n,) shaped so that it broadcasts along `axis` of a tensor with `dimensions` axes."""
    shape = [1] * dimensions
    shape[axis] = -1
    return values.reshape(shape)


def of_groups(
    x: torch.Tensor, step: torch.Tensor, group: torch.Tensor, axis: int, *tables: torch.Tensor
) -> list[torch.Tensor]:
    """Each table's numbers for the indices along an axis of x, int64, shaped so that they broadcast.

    group: uint8 (n,), n the size of `axis`. tables: int32 (T, G).
    """
    index = group.to(torch.int64)
    return [along(table[step].to(torch.int64)[index], x.dim(), axis) for table in tables]


@torch.library.custom_op("dgqc::quantize", mutates_args=())
def quantize(
    x: torch.Tensor,
    step: torch.Tensor,
    multiplier: torch.Tensor,
    offset: torch.Tensor,
    shift: torch.Tensor,
    group: torch.Tensor,
    axis: int,
    bits: int,
) -> torch.Tensor:
    """code = clamp((x * multiplier + offset) >> shift, 0, 2^bits - 1), all three of the index's group.

    x: int16. multiplier: int32 (T, G), below 2^15. offset: int32 (T, G), (zero << shift) + half a step.
    shift: int32 (T, G), 1 .. 30. group: uint8 (n,), n the size of `axis`. Returns uint8 of x's shape.
    |x * multiplier + offset| < 2^31: lowering chooses the shift so, and the verifier proves it.
    Source: DGQ eq. 1 with the groups of section 3.3.
    """

    def codes(x: torch.Tensor, m: torch.Tensor, r: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        return ((x.to(torch.int64) * m + r) >> s).clamp(0, 2**bits - 1).to(torch.uint8)

    return along_rows(codes, x, *of_groups(x, step, group, axis, multiplier, offset, shift))


@fake(quantize)
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x, dtype=torch.uint8)


register_integer(
    IntegerOp(
        torch.ops.dgqc.quantize.default,
        rule=both(
            value_type("x", torch.int16),
            per_group("multiplier", (0, 2**15 - 1)),
            per_group("offset"),
            per_group("shift", (1, 30)),
            group_vector("group", "multiplier", "x", "axis"),
            plain_number("bits", CODE_BITS),
            quantize_bound,
        ),
        values=bit_codes,
    )
)
