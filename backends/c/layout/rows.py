"""Which ops are computed row by row, and which of their arguments they read so.

A row is everything along the last axis. An op that stands here has a kernel that computes any rows of its
result; the arguments named here are read only at the same rows, all others whole. An op that doesn't stand
here is computed whole. The pass `fuse-rows` puts ops that stand here into fusion groups.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import fx

from ....ir import ops  # noqa: F401  (registers the dgqc ops)
from ....ir.nodes import argument, arguments
from ....ir.ops.integer import product_of
from ....ir.views import slice_bounds, view_of

aten, dgqc = torch.ops.aten, torch.ops.dgqc

By = Callable[[fx.Node, dict[str, Any]], "tuple[str, ...] | None"]
"""Names of the arguments that are read by rows; None where this node is computed whole."""


def _always(*names: str) -> By:
    return lambda node, a: names


def _same_rows(node: fx.Node, a: dict[str, Any]) -> tuple[str, ...]:
    """The sides of a sum that aren't broadcast over rows."""
    rows = row_shape(node)
    return tuple(name for name in ("a", "b") if _padded(row_shape(a[name]), len(rows)) == rows)


def _padded(shape: tuple[int, ...], axes: int) -> tuple[int, ...]:
    return (1,) * (axes - len(shape)) + shape


def _gather(node: fx.Node, a: dict[str, Any]) -> tuple[str, ...] | None:
    axes = len(row_shape(node)) + 1
    return ("x",) if a["axis"] % axes == axes - 1 else None


def _slice(node: fx.Node, a: dict[str, Any]) -> tuple[str, ...]:
    axis, _, step = slice_bounds(node)
    return ("self",) if axis == len(row_shape(node)) and step == 1 else ()


def _cat(node: fx.Node, a: dict[str, Any]) -> tuple[str, ...] | None:
    axes = len(row_shape(node)) + 1
    return ("tensors",) if a["dim"] % axes == axes - 1 else None


def is_pointwise(node: fx.Node) -> bool:
    """Whether a convolution is a matrix product of its pixels."""
    a = arguments(node)
    window = (*a["weight"].meta["val"].shape[1:3], *a["stride"])
    return node.target is dgqc.conv2d.default and set(window) == {1} and not any(a["padding"])


def _convolution(node: fx.Node, a: dict[str, Any]) -> tuple[str, ...]:
    return ("x",) if is_pointwise(node) else ()


BY_ROWS: dict[Any, By] = {
    dgqc.quantize.default: _always("x"),
    dgqc.linear.default: _always("x"),
    dgqc.conv2d.default: _convolution,
    dgqc.conv2d_pixel.default: _always(),
    dgqc.rescale.default: _always("x"),
    dgqc.activation.default: _always("x"),
    dgqc.group_norm.default: _always(),
    dgqc.layer_norm.default: _always("x"),
    dgqc.add.default: _same_rows,
    dgqc.mul.default: _same_rows,
    dgqc.upsample_nearest.default: _always(),
    dgqc.avg_pool2d.default: _always(),
    dgqc.matmul.default: _always("a"),
    dgqc.softmax_log2.default: _always("logits"),
    dgqc.softmax_uniform.default: _always("logits"),
    dgqc.softmax_static.default: _always("logits"),
    dgqc.attend.default: _always("codes", "mantissa", "exponent", "first"),
    dgqc.gather.default: _gather,
    aten.permute.default: _always(),
    aten.slice.Tensor: _slice,
    aten.cat.default: _cat,
}
"""The table."""


def row_arguments(node: fx.Node) -> tuple[str, ...] | None:
    """Names of the arguments that a node reads row by row; None where it is computed whole."""
    by = BY_ROWS.get(node.target)
    return None if by is None or not part(node).dim() else by(node, arguments(node))


def row_sources(node: fx.Node) -> frozenset[fx.Node]:
    """The values that a node reads by rows and not whole as well; none where it is computed whole."""
    a = arguments(node) if node.target in BY_ROWS else {}
    names = row_arguments(node) or ()
    whole = {source for name, value in a.items() if name not in names for source in _nodes(value)}
    return frozenset(source for name in names for source in _nodes(a[name])) - whole


def _nodes(value: Any) -> Iterator[fx.Node]:
    if isinstance(value, fx.Node):
        yield value
    elif isinstance(value, list | tuple):
        yield from (item for item in value if isinstance(item, fx.Node))


def keeps_rows(node: fx.Node) -> bool:
    """Whether rows of a value are rows of the value that it is a view of, some to one or one to some, in the
    same order; true where it is no view."""
    view = view_of(node)
    if view is None:
        return True
    source = node.all_input_nodes[0]
    inner = part(source, node.args[1] if node.target is operator.getitem else 0)  # type: ignore[arg-type]
    return inner.numel() == part(node).numel() and view.offset == 0 and keeps_rows(source)


def group_rows(group: Iterable[fx.Node]) -> int:
    """The rows of a fusion group: those of its node with the fewest. Others may have several for each, like
    the heads of a token."""
    return min(row_count(node) for node in group)


def work(node: fx.Node) -> int:
    """What a node takes to compute, in values of a simple op; 64 products count as one."""
    value = node.meta["val"]
    size = sum(part.numel() for part in (value if isinstance(value, list | tuple) else (value,)))
    return int(size) * (1 + _products(node) // 64)


def _products(node: fx.Node) -> int:
    """Products in each value of a sum."""
    product = product_of(node)
    if product is None:
        return 0
    if product.weight is not None:
        return math.prod(part(argument(node, product.weight)).shape[1:])
    return int(part(node.all_input_nodes[0]).shape[-1])


def part(node: fx.Node, number: int = 0) -> torch.Tensor:
    """A node's value on the meta device; one of them where an op has several results."""
    value = node.meta["val"]
    found = value[number] if isinstance(value, list | tuple) else value
    assert isinstance(found, torch.Tensor)
    return found


def row_shape(node: fx.Node) -> tuple[int, ...]:
    """All axes but the last."""
    return tuple(int(size) for size in part(node).shape[:-1])


def row_count(node: fx.Node) -> int:
    """How many rows a node's value has."""
    return math.prod(row_shape(node))


def row_bytes(value: torch.Tensor) -> int:
    """Bytes of one row."""
    return int(value.shape[-1]) * value.element_size()


def value_bytes(value: torch.Tensor) -> int:
    """Bytes of all rows."""
    return math.prod(value.shape) * value.element_size()
