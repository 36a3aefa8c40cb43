"""Products with weights: `dgqc::linear`, `dgqc::conv2d`, `dgqc::conv2d_pixel`. A contraction, an epilogue."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch_mlir import ir

from ....ir.ops.integer import value_range
from ..arithmetic.number import Number
from ..arithmetic.tensors import Reads, each, reshaped, shape_of, width_of
from ..emission.graph_constants import HeldWeight
from .contraction import LIMIT, contracted
from .module_builder import ModuleBuilder, OpCall
from .operands import GroupedCodes, Limb, Side, as_they_are, multiplied
from .record import lowers
from .requantize import requantized
from .stages import Family
from .windows import images_of, patches

dgqc = torch.ops.dgqc


def codes_of(
    b: ModuleBuilder, call: OpCall, name: str, summed: int, prefix: str = "", axis: int | None = None
) -> GroupedCodes:
    """An operand with its tables. axis: that of its groups where the op doesn't say."""
    low, high = value_range(call.node_of(name))
    zero, multiple, group = (call[f"{prefix}{what}"] for what in ("zero", "multiple", "group"))
    place = call[f"{prefix}axis"] if axis is None else axis
    return GroupedCodes(b.value(call, name), low, high, zero, multiple, group, place, summed)


@lowers(dgqc.linear.default, Family.PRODUCTS)
def linear(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """x (..., M, K) times weight (N, K)."""
    codes = codes_of(b, call, "x", -1)
    side = _for_weight(b, codes, call["weight"])
    rows, repeated = math.prod(codes.shape[:-1]), math.prod(codes.shape[:-2])
    found = _times_weight(b, call, side, lambda limb: reshaped(limb, [rows, codes.shape[-1]]), repeated)
    return reshaped(found, [*codes.shape[:-1], shape_of(found)[1]])


@lowers(dgqc.conv2d.default, Family.PRODUCTS)
def conv2d(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """x (B, H, W, C) with weight (N, kh, kw, C): a row for each output position.

    Around the image stands what is stored of the value 0.
    """
    codes = codes_of(b, call, "x", -1, axis=-1)
    kernel, stride, padding = call["weight"].shape[1:3], call["stride"], call["padding"]
    side = _for_weight(b, codes, call["weight"], zero=any(padding))
    offset = side.offset
    zero = (lambda: b.at_step(offset.table[:, 0]).to(8)) if offset else 0

    def rows(limb: ir.Value) -> ir.Value:
        return patches(images_of(limb), kernel, stride, padding, zero)[0]

    return reshaped(_times_weight(b, call, side, rows, 1), call.result_shape)


def _for_weight(b: ModuleBuilder, codes: GroupedCodes, weight: HeldWeight, zero: bool = False) -> Side:
    """The left side of a product with a weight. zero: whether the value 0 must have limbs too."""
    zeros_fit = int(codes.zero.min()) >= 0 and int(codes.zero.max()) <= 255
    if codes.plain and (zeros_fit or not zero):
        return as_they_are(b, codes)
    side = multiplied(b, codes)
    fits = len(side.limbs) == 1 and (width_of(side.limbs[0].value) == 8 or _largest(side, weight) < LIMIT)
    return side if fits else multiplied(b, codes, narrow=True)


def _largest(side: Side, weight: HeldWeight) -> float:
    """Bounds the magnitude of any sum."""
    values = side.absolute_maximum.expand(weight.shape[-1])
    return float(weight.by_column(lambda taps: taps.to(torch.float64).abs().sum(dim=1) @ values).amax())


@lowers(dgqc.conv2d_pixel.default, Family.PRODUCTS)
def conv2d_pixel(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """x int16 (B, H, W, C): patches are quantized with the group of their output position."""
    kernel, stride, padding = call["weight"].shape[1:3], call["stride"], call["padding"]
    x = b.value(call, "x")
    values, _ = patches(images_of(x), kernel, stride, padding)
    group = call["group"].repeat(shape_of(x)[0])
    last = 2 ** int(call["bits"]) - 1
    reads = Reads()
    value = reads.of(values, (0, 1))
    tables = [call[f"quantize_{what}"] for what in ("multiplier", "offset", "shift")]
    m, r, s = (reads.of(b.spread(table, group), (0,)) for table in tables)

    def body(*n: Number) -> Number:
        return ((value(n).to(32) * m(n) + r(n)) >> s(n)).clamp(0, last).to(8)

    codes = each(shape_of(values), 8, reads.operands, body)
    side = as_they_are(b, GroupedCodes(codes, 0, last, call["zero"], call["multiple"], group, 0, 1))
    found = _times_weight(b, call, side, lambda limb: limb, 1)
    return reshaped(found, call.result_shape)


def _times_weight(
    b: ModuleBuilder, call: OpCall, side: Side, rows: Callable[[ir.Value], ir.Value], repeated: int
) -> ir.Value:
    """A side times a weight of which each column has K entries: i16 (M, N).

    rows: from a limb to its rows (M, K). repeated: how often the side's row groups are.
    """
    weight = call["weight"]
    limbs = [limb.moved(rows) for limb in side.limbs]
    columns = Limb(b.weight(call), 1)
    sums = contracted(limbs, [columns], _largest(side, weight))
    column_sums = weight.by_column(lambda taps: taps.sum(dim=(1, 2), dtype=torch.int32))
    scale, offset = (one and one.repeated(repeated) for one in (side.scale, side.offset))
    return requantized(b, call, sums, scale, offset, column_sums)
