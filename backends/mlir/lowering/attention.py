"""`dgqc::attend`: quantized probabilities times quantized values. Limbs of probabilities, a contraction."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch_mlir import ir

from ....ir.errors import DgqcError
from ..arithmetic.fixed_point import round_shift
from ..arithmetic.number import Number, number
from ..arithmetic.tensors import Reads, each, entry, part, reshaped, shape_of
from .contraction import LIMIT, contracted
from .elementwise import requantize
from .module_builder import ModuleBuilder, OpCall
from .operands import GroupedCodes, Limb, Side, multiplied
from .probabilities import ProbabilityLimb, probability_limbs
from .products import codes_of
from .record import lowers
from .stages import Family

dgqc = torch.ops.dgqc


@lowers(dgqc.attend.default, Family.ATTENTION)
def attend(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """codes (..., M, N), values (..., N + start, D); the first key's values are mixed in by `first`."""
    operand = codes_of(b, call, "values", -2)
    codes = b.value(call, "codes")
    shape, (tokens, columns) = shape_of(codes), operand.shape[-2:]
    batch, rows, keys = math.prod(shape[:-2]), shape[-2], shape[-1]
    if math.prod(operand.shape[:-2]) == 1:
        batch, rows = 1, batch * rows
    sizes = [batch] if batch > 1 else []
    probabilities = call["weights"].to(torch.int64)
    side, limbs = _fewest_products(b, operand, probabilities, keys)
    values = [limb.moved(lambda value: reshaped(value, [*sizes, tokens, columns])) for limb in side.limbs]
    others = [limb.moved(lambda value: part(value, len(sizes), int(call["start"]), keys)) for limb in values]
    rows_of_codes = reshaped(codes, [*sizes, rows, keys])
    left = [Limb(_decoded(b, rows_of_codes, limb), limb.factor) for limb in limbs]
    largest = float(probabilities.max()) * float(side.absolute_maximum.max()) * keys
    sums = contracted(left, others, largest, transposed=False)

    axes = list(range(len(sizes) + 2))
    reads = Reads()
    total = sums.reader(reads, axes)
    scale = side.scale and side.scale.reader(b, reads, axes[-1])
    per_row = [reshaped(b.value(call, name), [*sizes, rows]) for name in ("mantissa", "exponent", "first")]
    mantissa, exponent, probability = (reads.of(value, axes[:-1]) for value in per_row)
    first = [
        (reads.of(_first(limb.value, len(sizes)), [*axes[:-2], axes[-1]]), limb.factor)
        for limb in values
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
            for limb, times in first:
                own = own + limb(n).to(64) * times
            mix = mix + probability(n).to(64) * (own * factor if factor else own)
        return requantize(b, call, mix)

    found = each([*sizes, rows, columns], 16, reads.operands, body)
    return reshaped(found, [*shape[:-1], columns])


def _first(values: ir.Value, axis: int) -> ir.Value:
    """The first token's values, without the axis of tokens."""
    shape = shape_of(values)
    return reshaped(part(values, axis, 0, 1), [*shape[:axis], *shape[axis + 1 :]])


def _fewest_products(
    b: ModuleBuilder, values: GroupedCodes, probabilities: torch.Tensor, keys: int
) -> tuple[Side, Sequence[ProbabilityLimb]]:
    """The values, and limbs of the probabilities, so that 32 bits hold every sum of products of two limbs."""
    found = []
    for narrow in (False, True):
        side = multiplied(b, values, narrow=narrow)
        absolute_maximum = float(side.absolute_maximum.max()) if len(side.limbs) == 1 else 128.0
        most = min(32767, int((LIMIT - 1) // max(1.0, keys * absolute_maximum)))
        if limbs := probability_limbs(probabilities, most):
            found.append((side, limbs))
    if not found:
        raise DgqcError(f"An attention over {keys} keys is too long for the MLIR backend's 32-bit sums.")
    return min(found, key=lambda one: len(one[0].limbs) * len(one[1]))


def _decoded(b: ModuleBuilder, codes: ir.Value, limb: ProbabilityLimb) -> ir.Value:
    """A limb of what each code stands for."""
    width = 8 if int(limb.table.max()) < 128 else 16

    def body(code: Number) -> Number:
        wide = code.unsigned_to(32)
        if limb.formula:
            return limb.formula(wide).to(width)
        return entry(b.constant(limb.table.to(torch.int32), "probabilities"), wide.to_index()).to(width)

    return each(shape_of(codes), width, [(codes, range(len(shape_of(codes))))], body)
