"""Kernels of what text encoders do with the ids of tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from ....ir.arithmetic.operands import shape_of
from .context import EmissionContext
from .kernel import Kernel, by_rows
from .kernel_call import KernelCall, struct

dgqc = torch.ops.dgqc


def _embed(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    """`dgqc::embed`: a row of the table for each id."""
    count, columns = shape_of(a["table"])
    parameters = struct(count=count, columns=columns, table=context.table(a["table"]))
    return context.by_rows("embed", node, parameters, (context.places.at(a["ids"]),))


def _end_token(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    """`dgqc::end_token`: one row of all."""
    item = node.meta["val"].element_size()
    parameters = struct(count=shape_of(a["ids"])[1], row=shape_of(node)[-1] * item, end=int(a["end"]))
    return KernelCall("end_token", context.pointers(node, a["x"], a["ids"]), parameters)


KERNELS = (Kernel(dgqc.embed.default, _embed, by_rows()), Kernel(dgqc.end_token.default, _end_token))
