"""The kernels of attention probabilities."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import fx

from ....ir.arithmetic.operands import shape_of
from .context import EmissionContext
from .kernel import CallsOf, Kernel, by_rows
from .kernel_call import ROWS, STEP, KernelCall, Reduction, struct
from .runtime_header import defined

dgqc = torch.ops.dgqc


def _calling(kernel: str) -> CallsOf:
    """The calls of one of the three `dgqc::softmax_*`."""

    def calls(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
        shape, logits = shape_of(a["logits"]), context.rows(a["logits"])
        static = kernel == "softmax_static"
        tables = ("inverse", "shift", "mantissa", "exponent")
        parameters = struct(
            rows=math.prod(shape[:-1]),
            keys=shape[-1],
            start=a["start"],
            bits=a.get("bits", 0),
            limit=a.get("limit", 0),
            **(context.named(a, *tables) if static else dict.fromkeys(tables)),
        )
        shared = context.places.shared(node)
        made = context.by_rows(kernel, node, parameters, (logits,), kind="softmax")
        if shared is None:
            return replace(made, arguments=(*made.arguments, None))
        reduction = Reduction("softmax", (STEP, ROWS, logits, shared), (STEP, shared))
        return replace(made, prepare=None, reduction=reduction)

    return calls


def _shared(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    """The sample's best and every row's, where the sample has one scale."""
    rows = math.prod(shape_of(a["logits"])[:-1])
    return () if a["granularity"] == "row" else (defined("DGQC_ALIGNMENT") + 8 * rows,)


KERNELS = (
    Kernel(dgqc.softmax_log2.default, _calling("softmax_log2"), by_rows("logits"), _shared),
    Kernel(dgqc.softmax_uniform.default, _calling("softmax_uniform"), by_rows("logits"), _shared),
    Kernel(dgqc.softmax_static.default, _calling("softmax_static"), by_rows("logits")),
)
