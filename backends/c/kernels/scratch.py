"""How much memory a kernel needs beyond its operands.

That follows from a node of the integer graph and its actual tables alone, so that memory planning and code
emission agree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from ....ir.arithmetic.operands import shape_of
from ....ir.nodes import arguments
from ..layout.memory_plan import aligned
from . import scratch_attention, scratch_products

dgqc = torch.ops.dgqc

SHORT_ROW = 256
"""Values of rows that a quantizer takes together."""
STRIP = 16
"""Channels to a table of a norm."""


def shared_bytes(node: fx.Node) -> int:
    """Bytes that a node's kernel prepares once a call, for all rows and threads to read; 0 where it prepares
    nothing."""
    sizes = _SHARED.get(node.target)
    return 0 if sizes is None else _taken(sizes(node, arguments(node)))


def scratch_bytes(node: fx.Node, rows: int) -> int:
    """Bytes of scratch memory that a node's kernel needs for blocks of so many rows; 0 for ops without
    any."""
    sizes = _SCRATCH.get(node.target)
    return 0 if sizes is None else _taken(sizes(node, arguments(node), rows))


def _taken(sizes: tuple[int, ...]) -> int:
    """A kernel cuts its buffers off its memory one after another, each rounded up (`dgqc_take`)."""
    return sum(aligned(size) for size in sizes)


def _quantize(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    shape = shape_of(node)
    axis = a["axis"] % len(shape)
    repeats = max(1, SHORT_ROW // shape[-1]) if axis == len(shape) - 1 else 1
    return (4 * shape[axis] * repeats,) * 3


def _group_norm(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    return (-(-shape_of(node)[-1] // STRIP) * (STRIP * (4 * 8 + 5 * 4) + 8),)


def _layer_norm(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    return 8, -(-shape_of(node)[-1] // STRIP) * STRIP * (4 + 2 * 8)


_SHARED: dict[Any, Callable[[fx.Node, dict[str, Any]], tuple[int, ...]]] = {
    dgqc.quantize.default: _quantize,
    dgqc.linear.default: scratch_products.shared,
    dgqc.conv2d.default: scratch_products.shared,
    dgqc.conv2d_pixel.default: scratch_products.shared,
    dgqc.group_norm.default: _group_norm,
    dgqc.layer_norm.default: _layer_norm,
    dgqc.matmul.default: scratch_attention.matmul_shared,
    dgqc.attend.default: scratch_attention.attend_shared,
    dgqc.softmax_log2.default: scratch_attention.softmax_shared,
    dgqc.softmax_uniform.default: scratch_attention.softmax_shared,
}
"""What `dgqc_*_begin` cuts off its shared memory."""


_SCRATCH: dict[Any, Callable[[fx.Node, dict[str, Any], int], tuple[int, ...]]] = {
    dgqc.linear.default: scratch_products.scratch,
    dgqc.conv2d.default: scratch_products.scratch,
    dgqc.conv2d_pixel.default: scratch_products.scratch,
    dgqc.matmul.default: scratch_attention.matmul_scratch,
    dgqc.attend.default: scratch_attention.attend_scratch,
}
"""What a kernel cuts off its scratch memory for blocks of `rows` rows."""
