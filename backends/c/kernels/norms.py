"""The kernels of norms, means and shares: each row by itself, or all of an image."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx

from ....ir.arithmetic.operands import shape_of, value_of
from .context import EmissionContext
from .kernel import CallsOf, Kernel, by_rows
from .kernel_call import KernelCall, struct
from .runtime_header import defined
from .wide import is_wide

dgqc = torch.ops.dgqc

TABLES = ("gamma", "beta", "gamma_factor", "gamma_shift", "beta_factor", "beta_shift", "epsilon")


def _calling(kernel: str) -> CallsOf:
    """The calls of `dgqc::group_norm` or `dgqc::layer_norm`."""

    def calls(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
        shape = shape_of(a["x"])
        by_group = kernel == "group_norm"
        parameters = struct(
            channels=shape[-1],
            groups=a["groups"] if by_group else 1,
            elements=math.prod(shape[1:-1]) if by_group else 1,
            images=shape[0] if by_group else 1,
            **context.named(a, *TABLES),
            epsilon_of_each_group=value_of(a["epsilon"]).dim() == 2,
        )
        whole = (context.places.at(a["x"]),) if by_group else ()
        sources = (context.rows(a["x"]),)
        if is_wide(node) or is_wide(a["x"]):
            widths = {"x_wide": int(is_wide(a["x"])), "y_wide": int(is_wide(node))}
            parameters = struct(norm=parameters, **widths)
            return context.by_rows(f"{kernel}_wide", node, parameters, sources, whole=whole)
        return context.by_rows(kernel, node, parameters, sources, kind="norm", whole=whole)

    return calls


def _channel_sums(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    shape = shape_of(a["x"])
    before = None if a["before"] is None else context.places.at(a["before"])
    parameters = struct(channels=shape[-1], positions=math.prod(shape[:-1]))
    return KernelCall(
        "channel_sums", (before, context.places.at(a["x"]), context.places.at(node)), parameters
    )


def _normalize(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    parameters = struct(
        channels=shape_of(node)[-1],
        groups=a["groups"],
        elements=a["positions"],
        images=1,
        **context.named(a, *TABLES),
        epsilon_of_each_group=value_of(a["epsilon"]).dim() == 2,
    )
    whole = (context.places.at(a["sums"]),)
    return context.by_rows("normalize", node, parameters, (context.rows(a["x"]),), kind="norm", whole=whole)


def _prepared_sums(node: fx.Node, a: dict[str, Any]) -> tuple[str, ...]:
    return ("sums",)


def _strips(node: fx.Node) -> int:
    return -(-shape_of(node)[-1] // defined("DGQC_STRIP"))


def _of_group_norm(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    if is_wide(node) or is_wide(a["x"]):
        return (shape_of(node)[0] * shape_of(node)[-1] * defined("DGQC_GROUP_NORM_WIDE_CHANNEL_BYTES"),)
    return (shape_of(node)[0] * _strips(node) * defined("DGQC_GROUP_NORM_STRIP_BYTES"),)


def _of_layer_norm(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    """The largest offset, then strips."""
    return 8, _strips(node) * defined("DGQC_LAYER_NORM_STRIP_BYTES")


def _rms_norm(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    tables = context.named(a, "gamma", "gamma_factor", "gamma_shift", "epsilon")
    parameters = struct(channels=shape_of(node)[-1], **tables)
    return context.by_rows("rms_norm", node, parameters, (context.rows(a["x"]),))


def _mean(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    parameters = struct(columns=shape_of(a["x"])[-1], **context.named(a, "factor", "shift"))
    return context.by_rows("mean", node, parameters, (context.rows(a["x"]),))


def _softmax(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    tables = context.named(a, "octave_factor", "octave_shift", "factor", "shift")
    parameters = struct(columns=shape_of(node)[-1], **tables)
    return context.by_rows("softmax_shares", node, parameters, (context.rows(a["x"]),))


KERNELS = (
    # All rows are read before the first one is normalized.
    Kernel(dgqc.group_norm.default, _calling("group_norm"), by_rows(), _of_group_norm),
    Kernel(dgqc.channel_sums.default, _channel_sums),
    Kernel(dgqc.normalize.default, _normalize, by_rows("x"), _of_group_norm, prepared=_prepared_sums),
    Kernel(dgqc.layer_norm.default, _calling("layer_norm"), by_rows("x"), _of_layer_norm),
    Kernel(dgqc.rms_norm.default, _rms_norm, by_rows("x")),
    Kernel(dgqc.mean.default, _mean, by_rows("x")),
    Kernel(dgqc.softmax.default, _softmax, by_rows("x")),
)
