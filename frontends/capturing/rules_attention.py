"""How attention is captured: matmul, mul, softmax, matmul, and what is added to scores in between."""

from __future__ import annotations

import math

import torch
from torch import fx

from .graph_builder import aten
from .registry import capture_rule
from .rewriter import Rewriter
from .rules_arithmetic import add
from .rules_functions import masked
from .rules_products import transposed
from .values import CapturedValue, Constant


@capture_rule(aten.scaled_dot_product_attention.default)
def attention(
    rewriter: Rewriter,
    query: CapturedValue,
    key: CapturedValue,
    value: CapturedValue,
    mask: CapturedValue = None,
    dropout: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> CapturedValue:
    """matmul, mul, (add), softmax, matmul."""
    if dropout:
        raise rewriter.unsupported(detail="its dropout is on: the model is in training mode")
    key, value = _as_node(rewriter, key), _as_node(rewriter, value)
    asked = query.tensor if isinstance(query, Constant) else query.meta["val"]
    if isinstance(query, Constant) and rewriter.builder.depends_on_sample(key):
        raise rewriter.unsupported(detail="its queries are constants")
    if enable_gqa:
        key, value = (_shared(rewriter, one, int(asked.shape[-3])) for one in (key, value))
    width = int(asked.shape[-1])
    scores = rewriter.emit(
        aten.matmul.default, query, transposed(rewriter, key, "transposed_keys"), suffix="scores"
    )
    factor = 1.0 / math.sqrt(width) if scale is None else float(scale)
    if factor != 1.0:
        scores = rewriter.emit(aten.mul.Tensor, scores, factor, suffix="scaled_scores")
    if is_causal:
        rows, columns = (int(size) for size in scores.meta["val"].shape[-2:])
        scores = masked(rewriter, scores, torch.ones(rows, columns, dtype=torch.bool).tril())
    scores = _with_mask(rewriter, scores, mask)
    probabilities = rewriter.emit(aten.softmax.int, scores, -1, suffix="probabilities")
    return rewriter.emit(aten.matmul.default, probabilities, value, suffix="attended")


@capture_rule(aten.softmax.int, aten._softmax.default)
def softmax(rewriter: Rewriter, value: fx.Node, dim: int, dtype: object = None) -> CapturedValue:
    """Over the last axis; another one is put there and back."""
    tensor = value.meta["val"]
    if rewriter.result().dtype != tensor.dtype:
        raise rewriter.unsupported(detail=f"it converts to {rewriter.result().dtype}")
    rank = tensor.dim()
    order = [*(axis for axis in range(rank) if axis != dim % rank), dim % rank]
    shares = rewriter.emit(aten.softmax.int, rewriter.permute(value, order), -1)
    return rewriter.permute(shares, [order.index(axis) for axis in range(rank)])


def _with_mask(rewriter: Rewriter, scores: fx.Node, mask: CapturedValue) -> CapturedValue:
    if isinstance(mask, Constant):
        tensor = mask.tensor
        if tensor.dtype is torch.bool:
            return masked(rewriter, scores, tensor)
        if not tensor.is_meta and not bool(tensor.any()):
            return scores
        return add(rewriter, scores, rewriter.constant(tensor.clamp(min=-1e30), "mask"))
    if mask is None:
        return scores
    if mask.meta["val"].dtype is torch.bool:
        raise rewriter.unsupported(detail="its mask is computed at run time")
    return rewriter.emit(aten.add.Tensor, scores, mask)


def _shared(rewriter: Rewriter, value: fx.Node, heads: int) -> fx.Node:
    """Keys or values (..., few heads, tokens, width) for each of so many heads."""
    few, axis = int(value.meta["val"].shape[-3]), value.meta["val"].dim() - 3
    return rewriter.take(value, axis, torch.arange(few).repeat_interleave(heads // few))


def _as_node(rewriter: Rewriter, value: CapturedValue) -> fx.Node:
    if not isinstance(value, fx.Node):
        raise rewriter.unsupported(detail="its keys or values are constants")
    return value
