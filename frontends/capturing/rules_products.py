"""How products of matrices are captured: weights always constants, all else as matmul."""

from __future__ import annotations

from torch import fx

from .graph_builder import aten
from .registry import capture_rule
from .rewriter import Rewriter
from .rules_arithmetic import add, multiply
from .values import CapturedValue, Constant


@capture_rule(aten.linear.default)
def linear(
    rewriter: Rewriter, value: CapturedValue, weight: CapturedValue, bias: CapturedValue = None
) -> CapturedValue:
    """A weight that is computed at run time makes it a product of two values."""
    if isinstance(weight, Constant) and isinstance(value, fx.Node):
        return rewriter.emit(aten.linear.default, value, weight, bias)
    transposed = (
        rewriter.constant(weight.tensor.t().contiguous(), "weight")
        if isinstance(weight, Constant)
        else rewriter.permute(weight, [1, 0])
    )
    product = rewriter.emit(aten.matmul.default, value, transposed)
    return product if bias is None else add(rewriter, product, bias)


@capture_rule(aten.matmul.default, aten.bmm.default, aten.mm.default, aten.mv.default)
def matmul(rewriter: Rewriter, left: CapturedValue, right: CapturedValue) -> CapturedValue:
    """A linear where the right side is a constant matrix, else a product of two values."""
    if isinstance(right, Constant) and right.tensor.dim() == 2:
        weight = rewriter.constant(right.tensor.t().contiguous(), "weight")
        return rewriter.emit(aten.linear.default, left, weight, None)
    if isinstance(right, fx.Node) and _turned(right) and isinstance(left, fx.Node):
        # Values times transposed probabilities are probabilities times values, transposed.
        product = rewriter.emit(aten.matmul.default, right.args[0], transposed(rewriter, left))
        return transposed(rewriter, product)
    return rewriter.emit(aten.matmul.default, left, right)


def transposed(rewriter: Rewriter, value: fx.Node, suffix: str = "") -> fx.Node:
    """With the last two axes changed for each other."""
    rank = value.meta["val"].dim()
    return rewriter.permute(value, [*range(rank - 2), rank - 1, rank - 2], suffix=suffix)


def _turned(value: fx.Node) -> bool:
    """Whether a value is a softmax with its last two axes changed for each other."""
    if value.target is not aten.permute.default or not isinstance(value.args[0], fx.Node):
        return False
    rank = value.meta["val"].dim()
    turned = [*range(rank - 2), rank - 1, rank - 2]
    return value.args[0].target is aten.softmax.int and value.args[1] == turned


@capture_rule(aten.addmm.default)
def add_matmul(
    rewriter: Rewriter,
    bias: CapturedValue,
    left: CapturedValue,
    right: CapturedValue,
    beta: float = 1,
    alpha: float = 1,
) -> CapturedValue:
    """A linear where weight and bias are constants, else a product and a sum."""
    if alpha == 1 and beta == 1 and isinstance(bias, Constant) and isinstance(right, Constant):
        weight = rewriter.constant(right.tensor.t().contiguous(), "weight")
        return rewriter.emit(aten.linear.default, left, weight, bias)
    return add_batched_matmul(rewriter, bias, left, right, beta, alpha)


@capture_rule(aten.baddbmm.default)
def add_batched_matmul(
    rewriter: Rewriter,
    bias: CapturedValue,
    left: CapturedValue,
    right: CapturedValue,
    beta: float = 1,
    alpha: float = 1,
) -> CapturedValue:
    """With beta = 0 the first argument is not even read: an uninitialized tensor stands there."""
    product = multiply(rewriter, matmul(rewriter, left, right), alpha)
    if beta == 0:
        return product
    return add(rewriter, product, multiply(rewriter, bias, beta) if beta != 1 else bias)
