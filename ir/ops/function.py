"""Functions of one variable: `dgqc::function` with its formula, `dgqc::piecewise` with its values."""

from __future__ import annotations

import torch
from torch import fx

from ..arithmetic.fixed_point import round_shift, saturate16
from ..arithmetic.pieces import FRACTION, LARGEST_VALUE, PIECES, PLACE_BITS, piece_and_place
from ..formula import evaluated, parsed, pointwise_overloads
from ..verify.argument_rules import per_call, per_piece, value_type
from ..verify.checks import Problem, Problems, VerificationScope, both
from . import captured_aten  # noqa: F401  (has records of some pointwise ops)
from .captured import CapturedOp, always, captured_ops, register_captured
from .fake import fake
from .integer import IntegerOp, any_value, register_integer


@torch.library.custom_op("dgqc::function", mutates_args=())
def function(x: torch.Tensor, formula: str) -> torch.Tensor:
    """A formula (`ir/formula.py`) at every element: `mul(x, tanh(softplus(x)))`. x: floating-point."""
    return evaluated(formula, x)


@fake(function)
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


def _is_formula(node: fx.Node, scope: VerificationScope) -> Problems:
    text = node.args[1]
    try:
        parsed(str(text))
    except ValueError as error:
        yield Problem(f"formula={text!r}", "calls of pointwise ops on x and numbers", str(error))


register_captured(CapturedOp(torch.ops.dgqc.function.default, _is_formula, new_scale=always))
# What sees the timestep and the added conditions alone is computed in float, whatever it is.
register_captured(
    *(
        CapturedOp(target, conditioning=True)
        for target in pointwise_overloads()
        if target not in captured_ops()
    )
)


@torch.library.custom_op("dgqc::piecewise", mutates_args=())
def piecewise(
    x: torch.Tensor, step: torch.Tensor, table: torch.Tensor, low: torch.Tensor, high: torch.Tensor
) -> torch.Tensor:
    """Any function of one variable, a parabola in each of 384 pieces, which are finer around zero.

    value, slope, curve = table[step, piece], in 1/256 steps of y; t in -1023 .. 1023, the place in the piece.
    y = saturate16((value + (slope + (curve * t >> 10)) * t >> 10) / 256), each shift rounded, clamped to
    low[step] .. high[step]. Up to |x| = 32 a piece is a single x, and so y is exact.
    x: int16, any shape. table: int32 (T, 384, 3), at most 2^26. low, high: int32 (T,). Returns int16.
    |(slope + curve) * t| stays below 2^37.
    """
    piece, t = piece_and_place(x.to(torch.int64))
    value, slope, curve = table[step].to(torch.int64)[piece].unbind(-1)
    bent = slope + round_shift(curve * t, PLACE_BITS)
    y = round_shift(value + round_shift(bent * t, PLACE_BITS), FRACTION)
    return saturate16(torch.minimum(torch.maximum(y, low[step].to(torch.int64)), high[step].to(torch.int64)))


@fake(piecewise)
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


INT16 = (-32768, 32767)
register_integer(
    IntegerOp(
        torch.ops.dgqc.piecewise.default,
        rule=both(
            value_type("x", torch.int16),
            per_piece("table", (PIECES, 3), (-LARGEST_VALUE, LARGEST_VALUE)),
            per_call("low", INT16),
            per_call("high", INT16),
        ),
        values=any_value,
        elementwise=1,
    )
)
