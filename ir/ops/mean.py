"""`dgqc::mean`: the mean of each row."""

from __future__ import annotations

import torch
from torch import fx

from ..arithmetic.fixed_point import ACCUMULATOR_LIMIT, round_shift, saturate16
from ..nodes import argument, arguments
from ..verify.argument_rules import factor_and_shift, value_type
from ..verify.checks import Problem, Problems, VerificationScope, both
from .captured import CapturedOp, always, register_captured
from .fake import fake
from .integer import IntegerOp, any_value, register_integer


@torch.library.custom_op("dgqc::mean", mutates_args=())
def mean(x: torch.Tensor, step: torch.Tensor, factor: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """y = saturate16((sum x * factor + half) >> shift) of each row of the last axis, in a scale of its own.

    factor and shift hold what the sum is divided by.

    x: int16 (..., C). factor, shift: int32 (T,). Returns int16 (..., 1). |sum * factor| < 2^62.
    """
    total = x.to(torch.int64).sum(dim=-1, keepdim=True)
    return saturate16(round_shift(total * factor[step].to(torch.int64), shift[step].to(torch.int64)))


@fake(mean)
def _(x: torch.Tensor) -> torch.Tensor:
    return x.new_empty((*x.shape[:-1], 1))


def _fits(node: fx.Node, scope: VerificationScope) -> Problems:
    factor = argument(node, "factor")
    if not isinstance(factor, fx.Node) or factor.op != "get_attr":
        return
    largest = 2**15 * int(scope.values[argument(node, "x")].shape[-1]) * int(scope.tensor(factor).max())
    if largest >= ACCUMULATOR_LIMIT:
        yield Problem(
            f"|sum * factor| can reach {largest:.4g}", "less than 2^62", "fewer factor bits are due"
        )


register_integer(
    IntegerOp(
        torch.ops.dgqc.mean.default,
        rule=both(value_type("x", torch.int16), factor_and_shift(), _fits),
        values=any_value,
    )
)


def _last_axis(node: fx.Node, scope: VerificationScope) -> Problems:
    named = arguments(node)
    last = scope.values[named["self"]].dim() - 1
    if list(named["dim"]) != [last] or not named["keepdim"]:
        yield Problem(f"a mean of the axes {named['dim']}", f"[{last}], kept", "only rows have a mean")


register_captured(CapturedOp(torch.ops.aten.mean.dim, _last_axis, new_scale=always))
