"""`dgqc::gate`: x * g(x) with g from a table: SiLU (sigmoid) and GELU (the normal distribution)."""

from __future__ import annotations

import torch

from ..fixed_point import round_shift, saturate16


@torch.library.custom_op("dgqc::gate", mutates_args=())
def gate(
    x: torch.Tensor,
    step: torch.Tensor,
    table: torch.Tensor,
    index_factor: torch.Tensor,
    index_shift: torch.Tensor,
    factor: torch.Tensor,
    shift: torch.Tensor,
) -> torch.Tensor:
    """y = saturate16((x * g(x) * factor + half) >> shift), g in Q16.

    table: int32 (513,), g(-i h) in Q16 (see `ir.lookup.gate_table`); g(x) = 1 - g(-x) for x > 0.
    |x| * index_factor >> index_shift is the place in the table in Q10. All factors, shifts: int32 (T,).
    x: int16, any shape. Returns int16. |x * g| <= 2^31, so the product stays below 2^62.
    """
    entries = table.to(torch.int64)
    wide = x.to(torch.int64)
    place = (wide.abs() * index_factor[step].to(torch.int64)) >> index_shift[step].to(torch.int64)
    place = place.clamp(max=(512 << 10) - 1)
    index, rest = place >> 10, place & 1023
    below = entries[index] - (((entries[index] - entries[index + 1]) * rest + 512) >> 10)
    product = wide * torch.where(wide < 0, below, 65536 - below)
    return saturate16(round_shift(product * factor[step].to(torch.int64), shift[step].to(torch.int64)))


@gate.register_fake
def _(
    x: torch.Tensor,
    step: torch.Tensor,
    table: torch.Tensor,
    index_factor: torch.Tensor,
    index_shift: torch.Tensor,
    factor: torch.Tensor,
    shift: torch.Tensor,
) -> torch.Tensor:
    return torch.empty_like(x)
