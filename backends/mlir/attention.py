"""`dgqc::attend`: quantized probabilities times quantized values, as planes of shares."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch_mlir import ir

from .builder import Builder, Call
from .contraction import LIMIT, Bound, Sums, contracted
from .fixed_point import round_shift
from .glue import requantize
from .number import Number, number
from .operands import Side, stored
from .products import codes_of
from .tensors import Reads, each, entry, part, reshaped, shape_of, width_of

SMALLEST_BLOCK = 256
"""Keys that a 32-bit sum should hold at least, so that few partial sums are written."""


def attend(b: Builder, call: Call) -> ir.Value:
    """codes (..., M, N), values (..., N + start, D); the first key's values are mixed in by `first`."""
    side = stored(b, codes_of(b, call, "values", -2), least=16)
    codes = b.value(call, "codes")
    shape, (tokens, columns) = shape_of(codes), shape_of(side.stored)[-2:]
    batch, rows, keys = math.prod(shape[:-2]), shape[-2], shape[-1]
    if math.prod(shape_of(side.stored)[:-2]) == 1:
        batch, rows = 1, batch * rows
    sizes = [batch] if batch > 1 else []
    values = reshaped(side.stored, [*sizes, tokens, columns])
    codes = reshaped(codes, [*sizes, rows, keys])
    others = part(values, len(sizes), int(call["start"]), keys)
    planes = _products(b, call, codes, others, side)

    axes = list(range(len(sizes) + 2))
    reads = Reads()
    totals = [(plane.reader(reads, axes), shift) for plane, shift in planes]
    scale = side.scale.reader(b, reads, axes[-1]) if side.scale else None
    per_row = [reshaped(b.value(call, name), [*sizes, rows]) for name in ("mantissa", "exponent", "first")]
    mantissa, exponent, share = (reads.of(value, axes[:-1]) for value in per_row)
    first = reads.of(_first(values, len(sizes)), [*axes[:-2], axes[-1]]) if call["start"] else None

    def body(*n: Number) -> Number:
        total = number(0, 64)
        for plane, shift in totals:
            total = total + (plane(n).to(64) << shift)
        factor = scale(n).to(64) if scale else None
        total = total * factor if factor else total
        if call["fraction"] > 15:
            total = round_shift(total, call["fraction"] - 15)
        mix = round_shift(total * mantissa(n).to(64), exponent(n).to(64) + min(call["fraction"], 15))
        if first:
            own = first(n).to(64) * factor if factor else first(n).to(64)
            mix = mix + share(n).to(64) * own
        return requantize(b, call, mix)

    found = each([*sizes, rows, columns], 16, reads.operands, body)
    return reshaped(found, [*shape[:-1], columns])


def _first(values: ir.Value, axis: int) -> ir.Value:
    """The first token's values, without the axis of tokens."""
    shape = shape_of(values)
    return reshaped(part(values, axis, 0, 1), [*shape[:axis], *shape[axis + 1 :]])


def _products(
    b: Builder, call: Call, codes: ir.Value, values: ir.Value, side: Side
) -> Sequence[tuple[Sums, int]]:
    """Sums of shares times values, one plane of the shares' bits each, and how far to shift it."""
    shares = call["weights"].to(torch.int64)
    width = 16 if width_of(values) <= 16 else 32
    bits, reach = int(shares.max()).bit_length(), float(side.reach.max())
    size = plane_bits(bits, shape_of(codes)[-1], reach)
    planes = []
    for shift in range(0, bits, size):
        plane = (shares >> shift) & (2**size - 1)
        term = float(plane.max()) * reach
        bound = Bound(term * shape_of(codes)[-1], term)
        left = _shares(b, codes, plane, width)
        planes.append((contracted(left, values, bound, transposed=False), shift))
    return planes


def plane_bits(bits: int, keys: int, reach: float) -> int:
    """How many bits of the shares go into one plane, so that there are few planes and few partial sums.

    bits: of the largest share. reach: of the values. At most 15, which 16 bits hold with their sign.
    """
    block = min(keys, SMALLEST_BLOCK)
    largest = max(1, min(15, int((LIMIT - 1) // (reach * block) + 1).bit_length() - 1)) if reach else 15
    return math.ceil(bits / math.ceil(bits / largest))


def _shares(b: Builder, codes: ir.Value, plane: torch.Tensor, width: int) -> ir.Value:
    """What each code stands for, the bits of one plane."""
    axes = range(len(shape_of(codes)))
    table = b.constant(plane.to(torch.int16), "shares")

    def body(code: Number) -> Number:
        return entry(table, code.unsigned_to(32).to_index()).to(width)

    return each(shape_of(codes), width, [(codes, axes)], body)
