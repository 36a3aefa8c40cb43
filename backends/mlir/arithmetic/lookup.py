"""`ir/arithmetic/lookup.py` as `arith`: exp2, log2 and 1/sqrt, from the same coefficients and tables."""

from __future__ import annotations

from ....ir.arithmetic.lookup import EXP2, LOG2, RECIPROCAL_ROOT
from ..lowering.module_builder import ModuleBuilder
from .fixed_point import floor_log2
from .number import Number
from .tensors import entry


def exp2_negative(z: Number) -> Number:
    """2^-z in Q30, i32. z: Q16, without a sign, of any width.

    All of it fits 32 bits: `c0 - t * slope` lies in 2^32 .. 2^33, so its low 32 bits tell it.
    """
    c0, c1, c2, c3, c4 = EXP2
    t = (z & 65535).to(32) - 2**15
    slope = c3 - ((c4 * t) >> 16)
    slope = c2 - ((slope * t) >> 16)
    slope = c1 - ((slope * t) >> 16)
    low = c0 % 2**32 - slope * t
    mantissa = low.shifted_unsigned(3) + (2**29 + 1)
    return mantissa >> z.shifted_unsigned(16).at_most(31).to(32)


def log2(b: ModuleBuilder, v: Number) -> Number:
    """log2 v in Q16, i64. v: i64 > 0."""
    table = b.constant(LOG2, "log2")
    whole = floor_log2(v)
    right, left = (whole - 30).at_least(0), (30 - whole).at_least(0)
    fraction = ((v >> right) << left) - 2**30
    index, rest = fraction >> 22, (fraction >> 6) & 65535
    low = entry(table, index.to_index()).to(64)
    high = entry(table, (index + 1).to_index()).to(64)
    interpolated = low + (((high - low) * rest + 2**15) >> 16)
    return (whole << 16) + ((interpolated + 128) >> 8)


def reciprocal_root(b: ModuleBuilder, v: Number) -> tuple[Number, Number]:
    """1/sqrt(v) = root * 2^-45 * 2^-half, both i64. v: i64 > 0, below 2^62."""
    table = b.constant(RECIPROCAL_ROOT, "reciprocal_root")
    half = (floor_log2(v) - 28) >> 1
    right, left = (2 * half).at_least(0), (-2 * half).at_least(0)
    v = (v >> right) << left
    root = entry(table, ((v >> 24) - 16).to_index())
    for _ in range(3):
        error = (((root * root) >> 30) * v) >> 30
        root = (root * ((3 << 30) - error)) >> 31
    return root, half
