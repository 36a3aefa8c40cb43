"""How einsum is captured: permutes, reshapes and products."""

from __future__ import annotations

import math
from typing import Any

from torch import fx

from .graph_builder import aten
from .norms import mean_of
from .registry import capture_rule
from .rewriter import Rewriter
from .rules_arithmetic import multiply
from .rules_products import matmul
from .values import CapturedValue, Constant

Labelled = tuple[CapturedValue, str]
"""A value and the letters of its axes."""


@capture_rule(aten.einsum.default)
def einsum(
    rewriter: Rewriter, equation: str, values: list[CapturedValue], *, path: Any = None
) -> CapturedValue:
    """Two operands at a time, from the left."""
    inputs, _, output = equation.replace(" ", "").partition("->")
    labels = inputs.split(",")
    if "." in equation or not output or any(len(set(label)) < len(label) for label in labels):
        raise rewriter.unsupported(detail=f"its equation {equation!r} has dots, diagonals or no result")
    current: Labelled = (values[0], labels[0])
    for number in range(1, len(values)):
        needed = set(output).union(*labels[number + 1 :])
        other = (values[number], labels[number])
        current = _product(rewriter, current, other, needed, output if number == len(values) - 1 else "")
    value, label = _summed(rewriter, current, set(output))
    return _ordered(rewriter, value, label, output)


def _product(rewriter: Rewriter, left: Labelled, right: Labelled, needed: set[str], output: str) -> Labelled:
    """The product of two operands, summed over what nobody else needs.

    output: the order that the result should have if it can, for the last product; else "".
    """
    left = _summed(rewriter, left, needed | set(right[1]))
    right = _summed(rewriter, right, needed | set(left[1]))
    batch = [axis for axis in left[1] if axis in right[1] and axis in needed]
    summed = [axis for axis in left[1] if axis in right[1] and axis not in needed]
    rows = [axis for axis in left[1] if axis not in right[1]]
    columns = [axis for axis in right[1] if axis not in left[1]]
    sizes = {**_sizes(left), **_sizes(right)}
    if not summed:
        return _outer(rewriter, left, right)
    if output:  # the order of the result saves a permute behind the product
        for axes in (batch, rows, columns):
            axes.sort(key=output.find)
    a = _matrix(rewriter, left, [batch, rows, summed], sizes)
    b = _matrix(rewriter, right, [batch, summed, columns], sizes)
    found = matmul(rewriter, a, b)
    label = "".join([*batch, *rows, *columns])
    return rewriter.reshape(found, [sizes[axis] for axis in label]), label


def _outer(rewriter: Rewriter, left: Labelled, right: Labelled) -> Labelled:
    """Nothing is summed: element by element, broadcast."""
    label = left[1] + "".join(axis for axis in right[1] if axis not in left[1])
    sides = []
    for value, own in (left, right):
        sizes = _sizes((value, own))
        ordered = _ordered(rewriter, value, own, "".join(axis for axis in label if axis in own))
        sides.append(_reshaped(rewriter, ordered, [sizes.get(axis, 1) for axis in label]))
    return multiply(rewriter, *sides), label


def _matrix(
    rewriter: Rewriter, operand: Labelled, parts: list[list[str]], sizes: dict[str, int]
) -> CapturedValue:
    """An operand (batch..., rows, columns): what is in one part becomes one axis, but batches stay."""
    value, label = operand
    order = "".join(axis for part in parts for axis in part)
    ordered = _ordered(rewriter, value, label, order)
    shape = [sizes[axis] for axis in parts[0]]
    shape += [math.prod(sizes[axis] for axis in part) for part in parts[1:]]
    return _reshaped(rewriter, ordered, shape)


def _summed(rewriter: Rewriter, operand: Labelled, needed: set[str]) -> Labelled:
    """An operand without the axes that nobody needs."""
    value, label = operand
    gone = [place for place, axis in enumerate(label) if axis not in needed]
    if not gone:
        return operand
    rest = "".join(axis for axis in label if axis in needed)
    if isinstance(value, Constant):
        return rewriter.constant(value.tensor.sum(gone)), rest
    count = math.prod(int(value.meta["val"].shape[place]) for place in gone)
    return multiply(rewriter, mean_of(rewriter, value, gone, keep=False), float(count)), rest


def _ordered(rewriter: Rewriter, value: CapturedValue, label: str, order: str) -> CapturedValue:
    places = [label.index(axis) for axis in order]
    if isinstance(value, Constant):
        return rewriter.constant(value.tensor.permute(places))
    return rewriter.permute(value, places)


def _reshaped(rewriter: Rewriter, value: CapturedValue, shape: list[int]) -> CapturedValue:
    if isinstance(value, Constant):
        return rewriter.constant(value.tensor.reshape(shape))
    return rewriter.reshape(value, shape)


def _sizes(operand: Labelled) -> dict[str, int]:
    value, label = operand
    tensor = value.meta["val"] if isinstance(value, fx.Node) else value.tensor
    return {axis: int(size) for axis, size in zip(label, tensor.shape, strict=True)}
