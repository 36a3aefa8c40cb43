"""What the verifier demands of ops at the captured, planned and simulated levels."""

from __future__ import annotations

import torch
from torch import fx

from ..nodes import argument, arguments
from ..program import SEEN
from .argument_rules import reads_step
from .checks import Problem, Problems, VerificationScope, type_name


def floating(node: fx.Node, scope: VerificationScope) -> Problems:
    """What depends on the sample is floating-point."""
    value = scope.values[node]
    if SEEN & scope.sources[node] and not (isinstance(value, torch.Tensor) and value.is_floating_point()):
        yield Problem(type_name(value), "a floating-point tensor", "the model computes in integers here")


def conditioning(node: fx.Node, scope: VerificationScope) -> Problems:
    """Ops without an integer form may look at anything but the sample."""
    if SEEN & scope.sources[node]:
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
    shape = argument(node, "normalized_shape")
    if len(shape) != 1:
        yield Problem(f"normalized_shape={list(shape)}", "the last axis alone", "only rows can be normalized")


def has_plan(node: fx.Node, scope: VerificationScope) -> Problems:
    """Its name has a plan."""
    name = argument(node, "name")
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
        table = scope.values[argument(node, name)]
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
