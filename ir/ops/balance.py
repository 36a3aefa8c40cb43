"""`dgqc::balance`: a value whose channels are divided by powers of two that the weights behind it take up."""

from __future__ import annotations

import torch
from torch import fx

from ..plans import ratios
from ..verify.checks import Problem, Problems, VerificationScope, type_name
from .captured import CapturedOp, ChannelScales, register_captured
from .quantize import along

_library = torch.library.Library("dgqc", "FRAGMENT")  # type: ignore[no-untyped-call]


def balance(x: torch.Tensor, exponent: torch.Tensor, axis: int) -> torch.Tensor:
    """x[..., c, ...] / 2^(exponent[c] / 4) along `axis`. x: float. exponent: int64 (C,)."""
    return x * along(ratios(-exponent).to(x.dtype), x.dim(), axis)


def _channels(node: fx.Node, scope: VerificationScope) -> Problems:
    """`exponent` is a constant with a number for each channel."""
    source, exponent, axis = node.args
    size = scope.values[source].shape[axis]  # type: ignore[index]
    found = scope.tensor(exponent)  # type: ignore[arg-type]
    if found.dtype is not torch.int64 or tuple(found.shape) != (size,):
        yield Problem(f"exponent of {type_name(found)}", f"int64 ({size},)", "channels were changed since")


_library.define("balance(Tensor x, Tensor exponent, int axis) -> Tensor")  # type: ignore[no-untyped-call]
_library.impl("balance", balance, "CompositeImplicitAutograd")  # type: ignore[no-untyped-call]
# At the integer level nothing is left of it: a step of each channel is worth less.
register_captured(
    CapturedOp(
        torch.ops.dgqc.balance.default,
        _channels,
        channels=ChannelScales.KEPT,
        made_by="balance-channels",
    )
)
