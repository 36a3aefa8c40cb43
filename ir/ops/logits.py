"""`dgqc::add_logits`: attention's scores and what is added to them, a mask or a bias."""

from __future__ import annotations

import torch

from ..arithmetic.fixed_point import round_shift, saturate32
from ..verify.argument_rules import SHIFTS, per_call, value_type
from ..verify.checks import both
from .fake import fake
from .integer import IntegerOp, any_value, register_integer


@torch.library.custom_op("dgqc::add_logits", mutates_args=())
def add_logits(
    logits: torch.Tensor, bias: torch.Tensor, step: torch.Tensor, factor: torch.Tensor, shift: torch.Tensor
) -> torch.Tensor:
    """y = saturate32(logits + ((bias * factor + half) >> shift)).

    logits: int32 (..., M, N), in 2^-16 octaves. bias: int16, or int32 where it is a constant, broadcast to
    logits. factor, shift: int32 (T,). Returns int32. |bias * factor| stays below 2^62.
    """
    product = bias.to(torch.int64) * factor[step].to(torch.int64)
    return saturate32(logits.to(torch.int64) + round_shift(product, shift[step].to(torch.int64)))


@fake(add_logits)
def _(logits: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(logits)


register_integer(
    IntegerOp(
        torch.ops.dgqc.add_logits.default,
        rule=both(
            value_type("logits", torch.int32),
            value_type("bias", torch.int16, torch.int32),
            per_call("factor", (0, 2**30)),
            per_call("shift", SHIFTS),
        ),
        values=any_value,
    )
)
