"""`dgqc::take`: some indices of an axis, in any order, any of them several times."""

from __future__ import annotations

import torch
from torch import fx

from ..nodes import arguments
from ..verify.checks import Problem, Problems, VerificationScope, type_name
from .captured import CapturedOp, register_captured
from .fake import fake
from .integer import IntegerOp, Moved, register_integer


@torch.library.custom_op("dgqc::take", mutates_args=())
def take(x: torch.Tensor, index: torch.Tensor, axis: int) -> torch.Tensor:
    """y[..., j, ...] = x[..., index[j], ...] along `axis`: flips, rolls, every second, edges once more.

    x: any integer dtype. index: int32 (n,), 0 .. size of the axis - 1. Returns n indices along the axis.
    """
    return x.index_select(axis, index.to(torch.int64))


@fake(take)
def _(x: torch.Tensor, index: torch.Tensor, axis: int) -> torch.Tensor:
    shape = list(x.shape)
    shape[axis] = index.shape[0]
    return x.new_empty(shape)


def _indices(node: fx.Node, scope: VerificationScope) -> Problems:
    """`index` is a constant of places that the axis has."""
    named = arguments(node)
    shape, index = scope.values[named["x"]].shape, named["index"]
    if not (isinstance(index, fx.Node) and index.op == "get_attr"):
        yield Problem(f"index={index}", "a constant of the graph", "places are computed at run time")
        return
    found, axis = scope.tensor(index), named["axis"]
    if found.dtype is not torch.int32 or found.dim() != 1 or found.numel() == 0:
        yield Problem(f"index of {type_name(found)}", "int32 (n,)", "the constant was stored in another form")
        return
    if not -len(shape) <= axis < len(shape):
        yield Problem(f"axis={axis}", "an axis of x", "axes were permuted")
    elif int(found.min()) < 0 or int(found.max()) >= shape[axis]:
        yield Problem(
            f"index with {int(found.max())} or {int(found.min())}",
            f"0 to {shape[axis] - 1}",
            "it was made for another layer",
        )


register_integer(IntegerOp(torch.ops.dgqc.take.default, rule=_indices, values=Moved("x")))
# Its values are those of its first argument, so it keeps their scale.
register_captured(CapturedOp(torch.ops.aten.index_select.default, follows_conditioning=True))
