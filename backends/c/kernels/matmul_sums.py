"""How a matmul carries its sums, from its actual tables."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx

from ....ir.arithmetic.operands import operand_groups, operand_values, shape_of, value_of
from ....ir.nodes import arguments

MOST_CODES = 128
"""So many codes add up to an int16."""


@dataclass(frozen=True)
class MatmulSums:
    """How a matmul carries its sums.

    narrow: operands fit int16, and sums of each accumulation block of `block` products int32; otherwise
        operands are int32 and sums int64. Neither for a single column, which would fill one lane of a vector.
    block: even where narrow.
    codes: whether 8-bit codes are multiplied as they are, since no group begins along the summed axis; what
        zeros and multiples make of the sum then comes after it, and a row's multiple joins the factor.
    """

    narrow: bool
    block: int
    codes: bool = False


def matmul_sums(node: fx.Node) -> MatmulSums:
    """Of a matmul node."""
    carried, a = _sums_of_values(node), arguments(node)
    depth, shift = shape_of(a["a"])[-1], int(value_of(a["shift"]).amin())
    if depth > MOST_CODES or depth % 4 or not all(_is_coded_by_rows(a, side) for side in ("a", "b")):
        return carried
    factors = value_of(a["a_multiple"]).to(torch.int64) * value_of(a["factor"])[:, None]
    # A row's multiple joins the factor, so that it isn't in the sum.
    left, right = operand_groups(node, 0, multiplied=False), operand_groups(node, 1)
    sums = depth * int(left.absolute_maximum.amax()) * int(right.absolute_maximum.amax())
    return replace(carried, codes=sums << max(0, 32 - shift) < 2**31 and int(factors.amax()) < 2**31)


def _is_coded_by_rows(a: dict[str, Any], side: str) -> bool:
    """Whether a matmul's side has 8-bit codes, zeros among them, and one group for all of a row."""
    zero, group, axes = value_of(a[f"{side}_zero"]), value_of(a[f"{side}_group"]), len(shape_of(a[side]))
    along = a[f"{side}_axis"] % axes == axes - 1
    coded = a[side].meta["val"].dtype == torch.uint8 and int(zero.amin()) >= 0 and int(zero.amax()) <= 255
    return coded and not (along and bool(group.any()))


def _sums_of_values(node: fx.Node) -> MatmulSums:
    a = arguments(node)
    left, right = operand_values(node, 0), operand_values(node, 1)
    depth, shift = shape_of(a["a"])[-1], int(value_of(a["shift"]).amin())
    products = (left.absolute_maximum.double() * right.absolute_maximum.double()).expand(depth)
    # A sum is shifted left until the upper half of its product holds the result, if that is needed.
    if left.fits(16) and right.fits(16) and shape_of(a["b"])[-2] > 1:
        if float(products.sum()) * 2.0 ** max(0, 32 - shift) < 2**31:
            return MatmulSums(True, depth + depth % 2)
        block = _longest_block(products)
        if shift >= 32 and block:
            return MatmulSums(True, block)
    return MatmulSums(False, depth)


def _longest_block(products: torch.Tensor) -> int:
    """An even number of products such that the sum of every block of them, cut from the first on, fits
    int32: few and equal blocks. 0 if there is none. products: magnitudes, float64."""
    depth = products.numel()
    for blocks in range(1, (depth + 1) // 2 + 1):
        block = math.ceil(math.ceil(depth / blocks) / 2) * 2
        padded = torch.nn.functional.pad(products, (0, -depth % block))
        if float(padded.reshape(-1, block).sum(dim=1).amax()) < 2**31:
            return block
    return 0
