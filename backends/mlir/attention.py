"""`dgqc::attend`: quantized probabilities times quantized values. Digits of shares, a contraction."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch_mlir import ir

from ...ir.errors import DgqcError
from .builder import Builder, Call
from .contraction import LIMIT, contracted
from .elementwise import requantize
from .fixed_point import round_shift
from .number import Number, number
from .operands import Codes, Digit, Side, multiplied
from .products import codes_of
from .shares import ShareDigit, share_digits
from .tensors import Reads, each, entry, part, reshaped, shape_of


def attend(b: Builder, call: Call) -> ir.Value:
    """codes (..., M, N), values (..., N + start, D); the first key's values are mixed in by `first`."""
    operand = codes_of(b, call, "values", -2)
    codes = b.value(call, "codes")
    shape, (tokens, columns) = shape_of(codes), operand.shape[-2:]
    batch, rows, keys = math.prod(shape[:-2]), shape[-2], shape[-1]
    if math.prod(operand.shape[:-2]) == 1:
        batch, rows = 1, batch * rows
    sizes = [batch] if batch > 1 else []
    shares = call["weights"].to(torch.int64)
    side, digits = _fewest_products(b, operand, shares, keys)
    values = [digit.moved(lambda value: reshaped(value, [*sizes, tokens, columns])) for digit in side.digits]
    others = [
        digit.moved(lambda value: part(value, len(sizes), int(call["start"]), keys)) for digit in values
    ]
    rows_of_codes = reshaped(codes, [*sizes, rows, keys])
    left = [Digit(_decoded(b, rows_of_codes, digit), digit.factor) for digit in digits]
    largest = float(shares.max()) * float(side.reach.max()) * keys
    sums = contracted(left, others, largest, transposed=False)

    axes = list(range(len(sizes) + 2))
    reads = Reads()
    total = sums.reader(reads, axes)
    scale = side.scale and side.scale.reader(b, reads, axes[-1])
    per_row = [reshaped(b.value(call, name), [*sizes, rows]) for name in ("mantissa", "exponent", "first")]
    mantissa, exponent, share = (reads.of(value, axes[:-1]) for value in per_row)
    first = [
        (reads.of(_first(digit.value, len(sizes)), [*axes[:-2], axes[-1]]), digit.factor)
        for digit in values
        if call["start"]
    ]

    def body(*n: Number) -> Number:
        x = total(n).to(64)
        factor = scale(n).to(64) if scale else None
        x = x * factor if factor else x
        if call["fraction"] > 15:
            x = round_shift(x, call["fraction"] - 15)
        mix = round_shift(x * mantissa(n).to(64), exponent(n).to(64) + min(call["fraction"], 15))
        if first:
            own = number(0, 64)
            for digit, times in first:
                own = own + digit(n).to(64) * times
            mix = mix + share(n).to(64) * (own * factor if factor else own)
        return requantize(b, call, mix)

    found = each([*sizes, rows, columns], 16, reads.operands, body)
    return reshaped(found, [*shape[:-1], columns])


def _first(values: ir.Value, axis: int) -> ir.Value:
    """The first token's values, without the axis of tokens."""
    shape = shape_of(values)
    return reshaped(part(values, axis, 0, 1), [*shape[:axis], *shape[axis + 1 :]])


def _fewest_products(
    b: Builder, values: Codes, shares: torch.Tensor, keys: int
) -> tuple[Side, Sequence[ShareDigit]]:
    """The values, and digits of the shares, so that 32 bits hold every sum of products of two digits."""
    found = []
    for narrow in (False, True):
        side = multiplied(b, values, narrow=narrow)
        reach = float(side.reach.max()) if len(side.digits) == 1 else 128.0
        most = min(32767, int((LIMIT - 1) // max(1.0, keys * reach)))
        if digits := share_digits(shares, most):
            found.append((side, digits))
    if not found:
        raise DgqcError(f"An attention over {keys} keys is too long for the MLIR backend's 32-bit sums.")
    return min(found, key=lambda one: len(one[0].digits) * len(one[1]))


def _decoded(b: Builder, codes: ir.Value, digit: ShareDigit) -> ir.Value:
    """A digit of what each code stands for."""
    width = 8 if int(digit.table.max()) < 128 else 16

    def body(code: Number) -> Number:
        wide = code.unsigned_to(32)
        if digit.formula:
            return digit.formula(wide).to(width)
        return entry(b.constant(digit.table.to(torch.int32), "shares"), wide.to_index()).to(width)

    return each(shape_of(codes), width, [(codes, range(len(shape_of(codes))))], body)
