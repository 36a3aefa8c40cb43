"""Norms and activation functions as calls."""

from __future__ import annotations

import math
from typing import Any

from torch import fx

from ....ir.arithmetic.operands import shape_of
from .context import EmissionContext
from .kernel_call import CallsOf, KernelCall, struct


def norm(kernel: str) -> CallsOf:
    """The rule of `dgqc::group_norm` or `dgqc::layer_norm`."""

    def call(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
        shape = shape_of(a["x"])
        by_group = kernel == "group_norm"
        tables = ("gamma", "beta", "gamma_factor", "gamma_shift", "beta_factor", "beta_shift", "epsilon")
        parameters = struct(
            channels=shape[-1],
            groups=a["groups"] if by_group else 1,
            elements=math.prod(shape[:-1]) if by_group else 1,
            **context.named(a, *tables),
        )
        whole = (context.places.at(a["x"]),) if by_group else ()
        return context.by_rows(kernel, node, parameters, (context.rows(a["x"]),), kind="norm", whole=whole)

    return call


def activation(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    """`dgqc::activation`."""
    tables = context.named(a, "table", "index_factor", "index_shift", "factor", "shift")
    parameters = struct(columns=shape_of(node)[-1], **tables)
    return context.by_rows("activation", node, parameters, (context.rows(a["x"]),))
