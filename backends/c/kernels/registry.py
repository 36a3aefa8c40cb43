"""Each op of the integer level as a call of its runtime kernel: the table."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from ....ir.errors import UnsupportedOperation
from ....ir.nodes import arguments
from . import attention, moves, norms, pointwise, products
from .context import EmissionContext
from .kernel_call import CallsOf, KernelCall

aten, dgqc = torch.ops.aten, torch.ops.dgqc

RULES: dict[Any, CallsOf] = {
    dgqc.quantize.default: pointwise.quantize,
    dgqc.linear.default: products.linear,
    dgqc.conv2d.default: products.conv2d,
    dgqc.conv2d_pixel.default: products.conv2d_pixel,
    dgqc.matmul.default: attention.matmul,
    dgqc.softmax_log2.default: attention.softmax("softmax_log2"),
    dgqc.softmax_uniform.default: attention.softmax("softmax_uniform"),
    dgqc.softmax_static.default: attention.softmax("softmax_static"),
    dgqc.attend.default: attention.attend,
    dgqc.group_norm.default: norms.norm("group_norm"),
    dgqc.layer_norm.default: norms.norm("layer_norm"),
    dgqc.activation.default: norms.activation,
    dgqc.rescale.default: pointwise.rescale,
    dgqc.add.default: pointwise.pair("add", "a_factor", "b_factor", "shift"),
    dgqc.mul.default: pointwise.pair("mul", "factor", "shift"),
    dgqc.upsample_nearest.default: pointwise.upsample_nearest,
    dgqc.avg_pool2d.default: pointwise.avg_pool2d,
    dgqc.gather.default: moves.gather,
    aten.permute.default: moves.permute,
    aten.slice.Tensor: moves.slice_tensor,
    aten.cat.default: moves.cat,
}
"""Op to the rule that calls its kernel. Views and `at_step` need none: they are places in memory."""


def calls_of(node: fx.Node, context: EmissionContext) -> list[KernelCall]:
    """The kernel calls that compute a node; none for a view. Raises UnsupportedOperation for unknown ops."""
    if node.op != "call_function" or context.places.is_view(node):
        return []
    rule = RULES.get(node.target)
    if rule is None:
        raise UnsupportedOperation(
            f"{node.name} calls {node.target}, which has no C kernel; add one (docs/c-backend.md), or lower"
            " it to the ops of the integer level."
        )
    calls = rule(node, arguments(node), context)
    return calls if isinstance(calls, list) else [calls]
