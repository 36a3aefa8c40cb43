"""Kernels of copies in another order: permute, gather, take, slice, cat."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx

from ....ir.arithmetic.operands import shape_of, value_of
from ....ir.views import slice_bounds
from .broadcast import merged_permutation
from .context import EmissionContext
from .kernel import Kernel, by_rows
from .kernel_call import ROWS, KernelCall, Place, struct, unsupported
from .runtime_header import defined
from .value_rows import row_shape

aten, dgqc = torch.ops.aten, torch.ops.dgqc

LONG_RUN = 2**16
"""Bytes that are worth more than one thread."""
PAGE, RUN = defined("DGQC_GATHER_PAGE"), defined("DGQC_GATHER_RUN")


def _moved(
    node: fx.Node,
    source: fx.Node,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    first: int,
    context: EmissionContext,
) -> KernelCall:
    """A copy in another order. shape: of the result; strides, first: where its elements lie in the source."""
    merged = merged_permutation(shape, strides)
    if merged is None:
        raise unsupported(node, f"{len(shape)} interleaved axes", "at most 6")
    item = node.meta["val"].element_size()
    parameters = struct(size=merged[0], stride=merged[1], item=item)
    return context.by_rows("permute", node, parameters, (context.places.at(source, first * item),))


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def _permute(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    """`aten.permute`, where it moves anything."""
    strides = _strides(shape_of(a["self"]))
    order = [axis % len(strides) for axis in a["dims"]]
    return _moved(node, a["self"], shape_of(node), tuple(strides[axis] for axis in order), 0, context)


def _gather(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    """`dgqc::gather`: a permutation of one axis from a table."""
    shape, order = shape_of(node), value_of(a["order"])
    axis = a["axis"] % len(shape)
    if len(order) >= 2**15:
        raise unsupported(node, f"an order of {len(order)} indices", "fewer than 32768")
    parameters = struct(
        outer=math.prod(shape[:axis]),
        count=shape[axis],
        inner=math.prod(shape[axis + 1 :]),
        order=context.constants.add(order.to(torch.int16)),
        pages=context.constants.add(_pages(order)),
        item=node.meta["val"].element_size(),
    )
    if axis == len(shape) - 1:
        return context.by_rows("gather", node, parameters, (context.rows(a["x"]),))
    return KernelCall("gather", (context.places.at(a["x"]), context.places.at(node)), parameters)


def _pages(order: torch.Tensor) -> torch.Tensor:
    """The first and the last page of indices that each run of an order lies in, uint8 (n, 2)."""
    ends = [[int(part.min()), int(part.max())] for part in torch.split(order // PAGE, RUN)]
    return torch.tensor(ends, dtype=torch.uint8)


def _take(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    """`dgqc::take`: columns of rows, or rows of the whole value."""
    source, shape = shape_of(a["x"]), shape_of(node)
    axis = a["axis"] % len(shape)
    last = axis == len(shape) - 1
    parameters = struct(
        count=shape[axis],
        **{"from": source[axis]},
        inner=0 if last else math.prod(shape[axis + 1 : -1]),
        item=node.meta["val"].element_size(),
        columns=shape[-1],
        index=context.table(a["index"]),
    )
    place = context.rows(a["x"]) if last else context.places.at(a["x"])
    return context.by_rows("take", node, parameters, (place,))


def _rows_of_take(node: fx.Node, a: dict[str, Any]) -> tuple[str, ...]:
    return ("x",) if a["axis"] % len(shape_of(node)) == len(shape_of(node)) - 1 else ()


def _slice(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    """`aten.slice`, where it is not a view."""
    shape = shape_of(a["self"])
    axis = a["dim"] % len(shape)
    begin, step = slice(a["start"], a["end"]).indices(shape[axis])[0], a["step"]
    strides = list(_strides(shape))
    first = begin * strides[axis]
    strides[axis] *= step
    if axis == len(shape) - 1 and step == 1:
        item = node.meta["val"].element_size()
        run, row = shape_of(node)[-1] * item, shape[-1] * item
        return _copied(context.rows(a["self"]).after(first * item), row, run, context.rows(node), run)
    return _moved(node, a["self"], shape_of(node), tuple(strides), first, context)


def _copied(source: Place, source_row: int, run: int, result: Place, result_row: int) -> KernelCall:
    """A run of bytes of each row."""
    return KernelCall("copy", (ROWS, run, source, source_row, result, result_row), by_rows=True)


def _cat(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> list[KernelCall]:
    """`aten.cat`: a copy for each part."""
    shape, item = shape_of(node), node.meta["val"].element_size()
    axis = a["dim"] % len(shape)
    count, row = math.prod(shape[:axis]), math.prod(shape[axis:]) * item
    calls, offset = [], 0
    for part in a["tensors"]:
        run = math.prod(shape_of(part)[axis:]) * item
        if axis == len(shape) - 1:
            calls.append(_copied(context.rows(part), run, run, context.rows(node).after(offset), row))
        else:
            target = context.places.at(node, offset)
            # One long run is several, which threads share.
            lines = shape_of(part)[axis] if count == 1 and run >= LONG_RUN else 1
            strides = (run, row) if lines == 1 else (run // lines, run // lines)
            sizes = (count * lines, run // lines)
            calls.append(
                KernelCall("copy", (*sizes, context.places.at(part), strides[0], target, strides[1]))
            )
        offset += run
    return calls


def _rows_of_gather(node: fx.Node, a: dict[str, Any]) -> tuple[str, ...] | None:
    """By rows along the last axis only."""
    axes = len(row_shape(node)) + 1
    return ("x",) if a["axis"] % axes == axes - 1 else None


def _rows_of_slice(node: fx.Node, a: dict[str, Any]) -> tuple[str, ...]:
    axis, _, step = slice_bounds(node)
    return ("self",) if axis == len(row_shape(node)) and step == 1 else ()


def _rows_of_cat(node: fx.Node, a: dict[str, Any]) -> tuple[str, ...] | None:
    axes = len(row_shape(node)) + 1
    return ("tensors",) if a["dim"] % axes == axes - 1 else None


KERNELS = (
    Kernel(dgqc.gather.default, _gather, _rows_of_gather),
    Kernel(dgqc.take.default, _take, _rows_of_take),
    Kernel(aten.permute.default, _permute, by_rows()),
    Kernel(aten.slice.Tensor, _slice, _rows_of_slice),
    Kernel(aten.cat.default, _cat, _rows_of_cat),
)
