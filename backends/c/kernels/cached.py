"""The kernel of a value that shallow calls take from an earlier one."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from ....ir.arithmetic.operands import shape_of
from .context import EmissionContext
from .kernel import Kernel, by_rows
from .kernel_call import ROWS, STEP, KernelCall, struct
from .runtime_header import defined
from .value_rows import value_bytes

CACHE_HEADER = defined("DGQC_ALIGNMENT")
"""Bytes before the values."""


def _cached(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    """`dgqc::cached`. Its value isn't read by rows, for a shallow call doesn't compute it."""
    cache, size = context.places.lasting(node), value_bytes(node.meta["val"])
    held, older = (
        cache.after(CACHE_HEADER + start).by_rows(size // context.group_rows) for start in (0, size)
    )
    two = a["older"] is not None
    tables = {**context.named(a, "factor", "offset"), "older": context.table(a["older"]) if two else None}
    parameters = struct(columns=shape_of(node)[-1], **tables)
    places = (context.rows(a["x"]), held, older if two else None, cache, context.rows(node))
    return KernelCall("cached", (STEP, ROWS, *places), parameters, by_rows=True)


def _lasting(node: fx.Node, a: dict[str, Any]) -> int:
    """With room for a shallow answer, where full ones go beyond it."""
    values = value_bytes(node.meta["val"]) * (1 if a["older"] is None else 2)
    (answer,) = next(one for one in node.graph.nodes if one.op == "output").all_input_nodes
    return CACHE_HEADER + values + (0 if a["amends"] is None else value_bytes(answer.meta["val"]))


KERNELS = (Kernel(torch.ops.dgqc.cached.default, _cached, by_rows(), lasting=_lasting),)
