"""What is captured as it is where nothing sees the sample, and constants in a value's shape."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from ...ir.ops.conditions import OF_CONDITIONS
from .graph_builder import aten
from .registry import capture_rule
from .rewriter import Rewriter
from .values import CapturedValue, Constant


@capture_rule(*OF_CONDITIONS)
def of_conditions(rewriter: Rewriter, *arguments: Any, **keywords: Any) -> CapturedValue:
    """Computed in float, once a picture or once a call."""
    nodes = [value for value in (*arguments, *keywords.values()) if isinstance(value, fx.Node)]
    if any(rewriter.builder.depends_on_sample(node) for node in nodes):
        raise rewriter.unsupported(detail="it has no integer form on values that depend on the sample")
    return rewriter.emit(rewriter.node.target, *arguments, **keywords)


@capture_rule(
    aten.zeros_like.default,
    aten.ones_like.default,
    aten.full_like.default,
    aten.new_zeros.default,
    aten.new_ones.default,
    aten.new_full.default,
    aten.fill.Scalar,
)
def filled(rewriter: Rewriter, value: fx.Node, *arguments: Any, **keywords: Any) -> CapturedValue:
    """A constant: only the shape is the value's."""
    name = rewriter.node.target._opname  # type: ignore[union-attr]
    number = 0.0 if "zeros" in name else 1.0 if "ones" in name else arguments[-1]
    result = rewriter.result()
    number = float(number.tensor) if isinstance(number, Constant) else number
    return rewriter.constant(
        torch.full(tuple(int(s) for s in result.shape), number, dtype=result.dtype), name
    )


@capture_rule(aten.native_dropout.default)
def native_dropout(
    rewriter: Rewriter, value: fx.Node, probability: float, train: bool | None
) -> CapturedValue:
    """Nothing, but in training."""
    if train and probability > 0:
        raise rewriter.unsupported(detail="the model is in training mode")
    return [value, None]
