"""Kernels of ops on two tensors, broadcast against each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from ....ir.arithmetic.operands import shape_of
from .broadcast import merged_rows
from .context import EmissionContext
from .kernel import Kernel
from .kernel_call import KernelCall, Struct, struct, unsupported
from .value_rows import row_shape
from .wide import is_wide

dgqc = torch.ops.dgqc


def _calling(kernel: str, *tables: str, **numbers: int) -> Callable[..., KernelCall]:
    """The calls of `dgqc::add` or `dgqc::mul`. tables: names of their constants. numbers: fields."""

    def calls(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
        by_rows = _same_rows(node, a) if len(shape_of(node)) else ()
        sides = {name: _side(node, shape_of(a[name]), name not in by_rows) for name in ("a", "b")}
        sources = (
            context.rows(a[name]) if name in by_rows else context.places.at(a[name]) for name in ("a", "b")
        )
        named = {name: None if a[name] is None else context.table(a[name]) for name in tables}
        parameters = struct(pair=struct(columns=shape_of(node)[-1], **sides), **named, **numbers)
        return context.by_rows(kernel, node, parameters, tuple(sources))

    return calls


def _add_logits(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    whole = "bias" not in _rows_of_logits(node, a)
    parameters = struct(
        columns=shape_of(node)[-1],
        bias=_side(node, shape_of(a["bias"]), whole),
        wide=a["bias"].meta["val"].element_size(),
        **context.named(a, "factor", "shift"),
    )
    bias = context.places.at(a["bias"]) if whole else context.rows(a["bias"])
    return context.by_rows("add_logits", node, parameters, (context.rows(a["logits"]), bias))


def _rows_of_logits(node: fx.Node, a: dict[str, Any]) -> tuple[str, ...]:
    """A bias that is the graph's constant, or is broadcast over rows, is read whole."""
    rows = row_shape(node)
    same = a["bias"].op != "get_attr" and _padded(row_shape(a["bias"]), len(rows)) == rows
    return ("logits", "bias") if same else ("logits",)


def _add(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    factors = ("a_factor", "b_factor", "shift")
    if any(is_wide(one) for one in (node, a["a"], a["b"])):
        widths = {
            f"{name}_wide": int(is_wide(one)) for name, one in (("a", a["a"]), ("b", a["b"]), ("y", node))
        }
        return _calling("add_wide", *factors, "a_column", "b_column", **widths)(node, a, context)
    if a["a_column"] is None:
        return _calling("add", *factors)(node, a, context)
    return _calling("add_columns", *factors, "a_column", "b_column")(node, a, context)


def _factors_of_columns(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    """Each side's factors; then, but for wide values, both in two halves, and whether these fit."""
    of_columns = (4 * shape_of(node)[-1],) * 2
    if any(is_wide(one) for one in (node, a["a"], a["b"])):
        return of_columns
    return (*of_columns, *of_columns, 4) if a["a_column"] is not None else ()


def _side(node: fx.Node, shape: tuple[int, ...], whole: bool) -> Struct:
    """A `dgqc_side`: how one of two tensors is broadcast."""
    axes = merged_rows(shape, shape_of(node))
    if axes is None:
        raise unsupported(node, f"{shape} broadcast to {shape_of(node)}", "fewer broadcast axes")
    size, stride = axes if whole else ((1, 1, 1), (0, 0, shape[-1]))
    return struct(whole=whole, size=size, stride=stride, single=shape[-1] == 1)


def _same_rows(node: fx.Node, a: dict[str, Any]) -> tuple[str, ...]:
    """The sides that aren't broadcast over rows."""
    rows = row_shape(node)
    return tuple(name for name in ("a", "b") if _padded(row_shape(a[name]), len(rows)) == rows)


def _padded(shape: tuple[int, ...], axes: int) -> tuple[int, ...]:
    return (1,) * (axes - len(shape)) + shape


KERNELS = (
    Kernel(dgqc.add_logits.default, _add_logits, _rows_of_logits),
    Kernel(dgqc.add.default, _add, _same_rows, _factors_of_columns),
    Kernel(dgqc.mul.default, _calling("mul", "factor", "shift"), _same_rows),
)
