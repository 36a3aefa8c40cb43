"""How the kernels of attention carry sums, and how much memory they take (see `scratch.py`)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import fx

from ....ir.arithmetic.operands import operand_values, shape_of, value_of
from ....ir.nodes import arguments
from ....ir.ops.integer import value_range

PANEL = 16
"""Columns of a panel of a matmul's right side (dgqc_matmul.h)."""
ROWS = 32
"""Rows that a matmul prepares at once (dgqc_internal.h)."""
TILE_ROWS = 8
"""Most rows of a tile (dgqc_tile.h)."""
PLANES, CODES = 3, 256
"""Most byte planes of a share; entries of their table (dgqc_attend.h)."""
MOST_CODES = 128
"""So many codes add up to an int16."""
MOST_KEYS = 2**16
"""So many products of an unsigned and a signed byte fit int32."""
MOST_KEYS_OF_A_STRETCH = 2**15
"""So many products of two unsigned bytes do."""
LONG_ENOUGH = 64
"""Keys of a stretch that are worth 64-bit sums of their own."""


@dataclass(frozen=True)
class MatmulSums:
    """How a matmul carries its sums.

    narrow: operands fit int16, and sums of each stretch of `block` products int32; otherwise operands are
        int32 and sums int64. Neither for a single column, which would fill one lane of a vector.
    block: even where narrow.
    codes: whether 8-bit codes are multiplied as they are, since no group begins along the summed axis; what
        zeros and multiples make of the sum then comes behind, and a row's multiple joins the factor.
    """

    narrow: bool
    block: int
    codes: bool = False


@dataclass(frozen=True)
class AttendBytes:
    """What attend multiplies.

    planes: bytes of a share; 0 where a code is its own share. value: bytes of a value: 1 for 8-bit codes as
        they are; 2 for values that fit int16; 0 for any others, which are multiplied one by one.
    ends: of the stretches of keys of one group, where values of 1 byte have groups of keys.
    """

    planes: int
    value: int
    ends: tuple[int, ...] = ()


def matmul_sums(node: fx.Node) -> MatmulSums:
    """From a matmul's actual tables."""
    carried, a = _sums_of_values(node), arguments(node)
    depth, shift = shape_of(a["a"])[-1], int(value_of(a["shift"]).amin())
    if depth > MOST_CODES or depth % 4 or not all(_is_coded_by_rows(a, side) for side in ("a", "b")):
        return carried
    factors = value_of(a["a_multiple"]).to(torch.int64) * value_of(a["factor"])[:, None]
    sums = depth * _absolute_maximum(a, "a", 1) * _absolute_maximum(a, "b", value_of(a["b_multiple"]))
    return replace(carried, codes=sums << max(0, 32 - shift) < 2**31 and int(factors.amax()) < 2**31)


def _absolute_maximum(a: dict[str, Any], side: str, multiple: torch.Tensor | int) -> int:
    """The largest magnitude of multiple * (code - zero) of a matmul's side."""
    zero = value_of(a[f"{side}_zero"]).to(torch.int64)
    return max(int((multiple * (end - zero)).abs().amax()) for end in value_range(a[side]))


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
        block = _longest_stretch(products)
        if shift >= 32 and block:
            return MatmulSums(True, block)
    return MatmulSums(False, depth)


def _longest_stretch(products: torch.Tensor) -> int:
    """An even number of products such that the sum of every stretch of them, cut from the first on, fits
    int32: few and equal stretches. 0 if there is none. products: magnitudes, float64."""
    depth = products.numel()
    for stretches in range(1, (depth + 1) // 2 + 1):
        block = math.ceil(math.ceil(depth / stretches) / 2) * 2
        padded = torch.nn.functional.pad(products, (0, -depth % block))
        if float(padded.reshape(-1, block).sum(dim=1).amax()) < 2**31:
            return block
    return 0


def matmul_shared(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    """ConstantBlock of both sides, then the right side's values."""
    left, right = shape_of(a["a"]), shape_of(a["b"])
    tables = (4 * left[a["a_axis"]],) * 2 + (4 * right[a["b_axis"]],) * 2
    batches, columns, depth = math.prod(right[:-2]), right[-2], right[-1]
    sums = matmul_sums(node)
    if sums.codes:
        values = -(-columns // PANEL) * PANEL * (depth + 8)
    elif sums.narrow:
        values = -(-columns // PANEL) * PANEL * (depth + depth % 2) * 2
    else:
        values = columns * depth * 4
    return (*tables, batches * values)


def matmul_scratch(node: fx.Node, a: dict[str, Any], rows: int) -> tuple[int, ...]:
    """Rows of the left side's values."""
    depth, sums = shape_of(a["a"])[-1], matmul_sums(node)
    if sums.codes:
        return (1,)  # a kernel takes scratch memory always or never
    return (min(rows, ROWS) * (2 * (depth + depth % 2) if sums.narrow else 4 * depth),)


def attend_bytes(node: fx.Node) -> AttendBytes:
    """From an attend's actual tables."""
    a = arguments(node)
    shares = value_of(a["weights"]).to(torch.int64)
    fit = next((n for n in range(1, PLANES + 1) if int(shares.amax()) < 2 ** (8 * n)), None)
    keys = shape_of(a["codes"])[-1]
    if fit is None or int(shares.amin()) < 0 or shares.numel() > CODES or keys > MOST_KEYS:
        return AttendBytes(PLANES, 0)
    planes = 0 if torch.equal(shares, torch.arange(shares.numel())) else fit
    if a["values"].meta["val"].dtype == torch.uint8 and not groups_of_keys(a):
        return AttendBytes(planes, 1)
    ends = _ends(value_of(a["group"])) if groups_of_keys(a) and not a["start"] else ()
    zero, coded = value_of(a["zero"]), a["values"].meta["val"].dtype == torch.uint8 and planes == 0
    among = int(zero.amin()) >= 0 and int(zero.amax()) <= 255
    longest = max((end - first for first, end in pairwise((0, *ends))), default=0)
    if coded and among and keys >= LONG_ENOUGH * len(ends) and 0 < longest <= MOST_KEYS_OF_A_STRETCH:
        return AttendBytes(planes, 1, ends)
    return AttendBytes(planes, 2 if operand_values(node).fits(16) else 0)


def _ends(group: torch.Tensor) -> tuple[int, ...]:
    """Where stretches of one group end."""
    return tuple(torch.unique_consecutive(group, return_counts=True)[1].cumsum(0).tolist())


def groups_of_keys(a: dict[str, Any]) -> bool:
    """Whether an attend's values have groups along the keys. a: its arguments."""
    axes = len(shape_of(a["values"]))
    return bool(a["axis"] % axes == axes - 2 and value_of(a["group"]).any())


def attend_shared(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    """ConstantBlock of the values, bytes of the shares, panels of the values."""
    values, how = shape_of(a["values"]), attend_bytes(node)
    count, keys = values[-2] if groups_of_keys(a) else values[-1], shape_of(a["codes"])[-1]
    ends = how.ends or (keys,)
    quads = sum(-(-end // 4) - first // 4 for first, end in pairwise((0, *ends)))
    batch = -(-values[-1] * how.value // PANEL) * PANEL * 4 * quads
    return (4 * count, 4 * count, PLANES * CODES, math.prod(values[:-2]) * batch)


def attend_scratch(node: fx.Node, a: dict[str, Any], rows: int) -> tuple[int, ...]:
    """A row's shares; or a tile's, in bytes where codes aren't these, and their sums in each stretch."""
    keys, how = shape_of(a["codes"])[-1], attend_bytes(node)
    if not how.value:
        return (4 * keys,)
    moved = max(how.planes, 1) * -(-keys // 4) * 4 if how.planes or keys % 4 else 0
    return (TILE_ROWS * moved, max(len(how.ends), 1) * TILE_ROWS * 8)


def softmax_shared(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    """The sample's best and every row's, where the sample has one scale."""
    rows = math.prod(shape_of(a["logits"])[:-1])
    return () if a["granularity"] == "row" else (64 + 8 * rows,)
