"""Which ops may stand at the captured, planned and simulated levels, and what each must look like."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx

from .. import ops  # noqa: F401  (registers the dgqc ops)
from ..nodes import arguments
from .argument_rules import contiguous_slice, reads_step, step_row
from .checks import Problem, Problems, VerificationRule, VerificationScope, anything, both, type_name

aten = torch.ops.aten
dgqc = torch.ops.dgqc


def floating(node: fx.Node, scope: VerificationScope) -> Problems:
    """What depends on the sample is floating-point."""
    value = scope.values[node]
    if "sample" in scope.sources[node] and not (
        isinstance(value, torch.Tensor) and value.is_floating_point()
    ):
        yield Problem(type_name(value), "a floating-point tensor", "the model computes in integers here")


def conditioning(node: fx.Node, scope: VerificationScope) -> Problems:
    """Ops without an integer form may look at anything but the sample."""
    if "sample" in scope.sources[node]:
        yield Problem(
            "an op that depends on the sample",
            "one that depends on the timestep and the conditioning alone",
            "this op has no integer form",
        )


def softmax(node: fx.Node, scope: VerificationScope) -> Problems:
    """Over the last axis."""
    named = arguments(node)
    rank = scope.values[named["self"]].dim()
    if named["dim"] % rank != rank - 1:
        yield Problem(f"dim={named['dim']}", "dim=-1", "the attention isn't in the captured form")


def convolution(node: fx.Node, scope: VerificationScope) -> Problems:
    """Neither grouped nor dilated: the integer convolution is neither."""
    named = arguments(node)
    if named["groups"] != 1:
        yield Problem(f"groups={named['groups']}", "groups=1", "grouped convolutions have no integer form")
    if any(spacing != 1 for spacing in named["dilation"]):
        yield Problem(f"dilation={named['dilation']}", "dilation=1", "dilated ones have no integer form")


def layer_norm(node: fx.Node, scope: VerificationScope) -> Problems:
    """Over the last axis."""
    shape = arguments(node)["normalized_shape"]
    if len(shape) != 1:
        yield Problem(f"normalized_shape={list(shape)}", "the last axis alone", "only rows can be normalized")


def site(node: fx.Node, scope: VerificationScope) -> Problems:
    """Its name has a plan."""
    name = arguments(node)["name"]
    if name not in scope.program.plans:
        close = ", ".join(sorted(scope.program.plans)[:3]) or "none"
        yield Problem(
            f"the site {name!r} without a plan",
            f"a plan of this name (there are: {close} ...)",
            "a pass added the site and forgot its plan, or renamed one of them",
        )


def fake_quantized_stepped(node: fx.Node, scope: VerificationScope) -> Problems:
    """Tables with a row per call."""
    yield from reads_step(node, scope)
    for name in ("channel_scale", "channel_zero", "pixel_scale", "pixel_zero"):
        table = scope.values[arguments(node)[name]]
        if table.shape[0] != scope.calls:
            yield Problem(f"{name} of {type_name(table)}", f"{scope.calls} rows", "made for another schedule")


def fake_quantized(node: fx.Node, scope: VerificationScope) -> Problems:
    """Per-step tables with a row per call, groups within range."""
    named = arguments(node)
    yield from reads_step(node, scope)
    scale = scope.values[named["scale"]]
    if scale.shape[0] != scope.calls:
        yield Problem(f"scale of {type_name(scale)}", f"{scope.calls} rows", "made for another schedule")
    group = named.get("group")
    if isinstance(group, fx.Node) and group.op == "get_attr":
        last = int(scope.tensor(group).max())
        if last >= scale.shape[1]:
            yield Problem(f"group {last}", f"groups 0 to {scale.shape[1] - 1}", "group and scale don't match")


def _plain(*targets: Any) -> dict[Any, VerificationRule]:
    return {target: floating for target in targets}


def _conditioning(*targets: Any) -> dict[Any, VerificationRule]:
    return {target: conditioning for target in targets}


CAPTURED: Mapping[Any, VerificationRule] = {
    **_plain(
        aten.linear.default,
        aten.matmul.default,
        aten.group_norm.default,
        aten.silu.default,
        aten.gelu.default,
        aten.add.Tensor,
        aten.mul.Tensor,
        aten.cat.default,
        aten.reshape.default,
        aten.permute.default,
        aten.upsample_nearest2d.vec,
        aten.avg_pool2d.default,
    ),
    aten.conv2d.default: both(floating, convolution),
    aten.softmax.int: both(floating, softmax),
    aten.layer_norm.default: both(floating, layer_norm),
    aten.slice.Tensor: both(floating, contiguous_slice),
    dgqc.at_step.default: step_row,
    **_conditioning(
        aten.sin.default,
        aten.cos.default,
        aten.exp.default,
        aten.log.default,
        aten.sqrt.default,
        aten.neg.default,
        aten.reciprocal.default,
        aten.div.Tensor,
        aten.div.Scalar,
        aten.sub.Tensor,
        aten.pow.Tensor_Scalar,
        aten.mul.Scalar,
        aten.add.Scalar,
        aten.embedding.default,
        aten.expand.default,
        aten.unsqueeze.default,
        aten.squeeze.dim,
        aten.view.default,
        aten.to.dtype,
        aten._to_copy.default,
        aten.arange.default,
        aten.arange.start,
        aten.full.default,
        aten.relu.default,
        aten.tanh.default,
        aten.sigmoid.default,
    ),
}
"""The small ATen set. Ops of the second half may stand in the conditioning only."""

PLANNED: Mapping[Any, VerificationRule] = {**CAPTURED, dgqc.site.default: both(floating, site)}

SIMULATED: Mapping[Any, VerificationRule] = {
    **PLANNED,
    dgqc.fake_quantize.default: both(floating, fake_quantized),
    dgqc.fake_quantize_static.default: both(floating, fake_quantized),
    dgqc.fake_quantize_stepped.default: both(floating, fake_quantized_stepped),
    dgqc.conv2d_stepped_simulated.default: both(floating, fake_quantized_stepped),
    dgqc.fake_quantize_log2.default: floating,
    dgqc.fake_quantize_uniform.default: floating,
    dgqc.conv2d_pixel_simulated.default: both(floating, fake_quantized),
    operator.getitem: anything,
}
