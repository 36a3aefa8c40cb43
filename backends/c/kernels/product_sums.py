"""How linear and convolutions carry their sums, from the actual weights and tables.

The fast kernels combine groups: neighbouring channels of one group are a segment, whose sum is carried in 32
bits; the sum over all segments, each times its multiple, in 32 bits where they hold it, else in 64, to which
accumulation blocks of segments add sums of 32. Zero points leave it only at the end, so bounds are on codes
as they are. The general kernels sum centered operands.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx

from ....ir.arithmetic.accumulators import WeightSums, accumulator, centered_codes
from ....ir.arithmetic.intervals import Interval, below
from ....ir.arithmetic.operands import (
    group_of_channels,
    operand_codes,
    operand_groups,
    operand_values,
    value_of,
)
from ....ir.errors import DgqcError
from ....ir.nodes import arguments
from .runtime_header import defined
from .wide import is_wide

dgqc = torch.ops.dgqc

QUAD = defined("DGQC_QUAD")
"""Channels that a kernel multiplies at once."""
MOST_ABSORBED = defined("DGQC_MOST_ABSORBED")
"""The largest multiple that a weight of 4 bits can take up."""
LIMIT = 2.0**31
MEMORY = "product-sums"
"""Where a node keeps what was found out of its tables."""
SMALLEST_BLOCK = 16
"""With fewer products than this to an int32 sum the narrow kernel isn't worth it."""


@dataclass(frozen=True)
class SegmentSums:
    """How a fast kernel carries its sum.

    segments: first channel and number of channels of each. total_bits: 32, or 64 where the whole sum needs
        that.
    ends: of the accumulation blocks, whose sums 32 bits hold: the number of segments up to there. Where
        total_bits is 64, the sum of a block of one segment is without its multiple.
    absorbs: whether weights are of 4 bits and can take up the multiples, at all calls.
    """

    segments: tuple[tuple[int, int], ...]
    total_bits: int
    ends: tuple[int, ...]
    absorbs: bool = False

    @property
    def row_bytes(self) -> int:
        """Of a row's (a pixel's) codes, each segment padded to the whole quads that it touches."""
        return sum(QUAD * (-(-(first + count) // QUAD) - first // QUAD) for first, count in self.segments)

    @property
    def of_channels(self) -> torch.Tensor:
        """The segment of each channel, int64 (C,)."""
        counts = torch.tensor([count for _, count in self.segments])
        return torch.arange(len(counts)).repeat_interleave(counts)

    @property
    def channels(self) -> int:
        return sum(count for _, count in self.segments)

    @property
    def channel_quads(self) -> int:
        """Of a row's (a pixel's) channels."""
        return -(-self.channels // QUAD)

    @property
    def is_spread(self) -> bool:
        """Whether codes can be multiplied as they lie."""
        return self.row_bytes == self.channels


def combination(node: fx.Node) -> SegmentSums | None:
    """Of a linear or convolution node; None where only the general kernel takes it: codes of 16 bits, a
    wide result, zero points around an image that no byte holds, sums of a segment of more than 32 bits."""
    found = _remembered(node, "combination", lambda tables: _combination(node, **tables))
    assert found is None or isinstance(found, SegmentSums)
    return found


def share_memory_of(node: fx.Node, like: fx.Node) -> None:
    """Lets a node with the same constants know what was found out of another, and the other way round."""
    node.meta[MEMORY] = like.meta.setdefault(MEMORY, {})


def _remembered(node: fx.Node, what: str, find: Callable[[dict[str, torch.Tensor]], Any]) -> Any:
    """What follows from a product's tables: weights can be large, and planners ask again and again."""
    a = arguments(node)
    tables = {name: value_of(a[name]) for name in ("weight", "zero", "multiple", "group")}
    key = (what, *((table.data_ptr(), tuple(table.shape)) for table in tables.values()))
    known = node.meta.setdefault(MEMORY, {})
    if key not in known:
        known[key] = find(tables)
    return known[key]


def _combination(
    node: fx.Node,
    weight: torch.Tensor,
    zero: torch.Tensor,
    multiple: torch.Tensor,
    group: torch.Tensor,
) -> SegmentSums | None:
    codes = operand_codes(node)
    if codes[0] < 0 or is_wide(node):
        return None
    along = groups_channels(node)
    # Where the first group is all there is, or rows have theirs, channels are one segment.
    index = group if along and bool(group.any()) else torch.zeros(weight.shape[-1], dtype=torch.uint8)
    segments = _segments(index)
    segment = torch.arange(len(segments)).repeat_interleave(torch.tensor([count for _, count in segments]))
    sums = WeightSums.of(weight, segment, len(segments))
    if along:
        of_segment = index[[first for first, _ in segments]].to(torch.int64)
        zeros, multiples = zero[:, of_segment].to(torch.float64), multiple[:, of_segment].to(torch.float64)
        if has_image(node) and not bool(((zeros >= 0) & (zeros <= 255)).all()):
            return None
        largest = sums.largest_part
        parts = largest * codes[1]
        # What zero points add up to leaves by way of the offsets, which have 64 bits.
        total = torch.maximum(multiples @ parts, (multiples * zeros.abs()) @ largest).max()
        ends = _ends(multiples, parts)
        four_bits = int(weight.amin()) >= -8 and int(weight.amax()) <= 7
        absorbs = four_bits and float(multiples.max()) <= MOST_ABSORBED
    else:
        # Each row is centered before it is multiplied.
        used = torch.unique(group).to(torch.int64)
        multiples = multiple[:, used].to(torch.float64)
        centered = centered_codes(codes, zero[:, used], torch.ones_like(multiples))
        largest = centered.absolute_maximum.double().clamp(min=codes[1])
        weights = sums.absolute.max()
        parts, total = largest.max() * weights, (largest * multiples).max() * weights
        ends, absorbs = (1,), False
    if not below(parts, LIMIT):
        return None
    fits = below(total, LIMIT)
    if fits:
        return SegmentSums(segments, 32, (len(segments),), absorbs)
    return SegmentSums(segments, 64, ends)


def _ends(multiples: torch.Tensor, parts: torch.Tensor) -> tuple[int, ...]:
    """Ends of few blocks of segments whose sums 32 bits hold; one that is too large alone stands alone.

    multiples: float64 (T, segments). parts: float64 (segments, N), bounds on the segments' sums.
    """
    ends, total = [], torch.zeros(())
    for segment, part in enumerate(parts):
        added = multiples[:, segment, None] * part
        total = total + added
        if segment > 0 and not below(total, LIMIT):
            ends.append(segment)
            total = added
    return (*ends, len(parts))


def is_pointwise(node: fx.Node) -> bool:
    """Whether a convolution is a matrix product of its pixels."""
    a = arguments(node)
    window = (*a["weight"].meta["val"].shape[1:3], *a["stride"])
    return node.target is dgqc.conv2d.default and set(window) == {1} and not any(a["padding"])


def groups_channels(node: fx.Node) -> bool:
    """Whether groups lie along the summed axis; also where there is but one."""
    a = arguments(node)
    if node.target is dgqc.linear.default:
        axes = a["x"].meta["val"].dim()
        return bool(a["axis"] % axes == axes - 1) or not bool(value_of(a["group"]).any())
    return node.target is dgqc.conv2d.default


def has_image(node: fx.Node) -> bool:
    """Whether a kernel works on a copy of its image with a halo around it."""
    return node.target is dgqc.conv2d.default and not is_pointwise(node)


def _segments(group: torch.Tensor) -> tuple[tuple[int, int], ...]:
    """First channel and number of channels of each segment."""
    _, counts = torch.unique_consecutive(group, return_counts=True)
    firsts = counts.cumsum(0) - counts
    return tuple(zip(firsts.tolist(), counts.tolist(), strict=True))


@dataclass(frozen=True)
class GeneralSums:
    """How a general kernel carries its sum.

    narrow: operands fit int16 and `block` products at a time fit int32; otherwise operands are int32 and
        sums int64.
    block: 1 .. depth.
    plain: whether operands are 16-bit values as they lie, which are narrow.
    """

    narrow: bool
    block: int
    plain: bool = False


def arithmetic(node: fx.Node) -> GeneralSums:
    """Of a linear or convolution node.

    Raises DgqcError where an operand needs more than 32 bits.
    """
    found = _remembered(node, "arithmetic", lambda tables: _arithmetic(node))
    assert isinstance(found, GeneralSums)
    return found


def _arithmetic(node: fx.Node) -> GeneralSums:
    weight, group = value_of(arguments(node)["weight"]), group_of_channels(node)
    # One bound for all calls, each group at its largest.
    operand = operand_groups(node).united(0, keepdim=True)
    sums = WeightSums.of(weight, group, operand.low.shape[1])
    total = float(accumulator(operand, sums, group is not None).partial.amax())
    carried = _carry(node, operand_values(node), Interval.of(weight), math.prod(weight.shape[1:]), total)
    return replace(carried, plain=carried.narrow and _is_plain(node))


def _is_plain(node: fx.Node) -> bool:
    """Whether an operand's values are its codes."""
    a = arguments(node)
    signed = operand_codes(node)[0] < 0
    return signed and not bool(value_of(a["zero"]).any()) and bool((value_of(a["multiple"]) == 1).all())


def _carry(node: fx.Node, left: Interval, right: Interval, depth: int, total: float) -> GeneralSums:
    """total: a bound on the whole sum of magnitudes."""
    largest = int(left.absolute_maximum.amax()), int(right.absolute_maximum.amax())
    if max(largest) >= 2**31:
        raise DgqcError(
            f"{node.name}: an operand reaches {max(largest)}, but kernels hold operands in 32 bits; the"
            " scales of its groups must lie closer together."
        )
    block = depth if total < 2**31 else min(depth, (2**31 - 1) // max(1, largest[0] * largest[1]))
    narrow = left.fits(16) and right.fits(16) and block >= min(depth, SMALLEST_BLOCK)
    return GeneralSums(narrow, max(1, block))
