"""Functions of one variable: exp2 as a polynomial, activation functions as parabolas; log2, 1/sqrt as tables.

The tables are computed here once and given to every backend, so that all of them look up the same integers.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from .fixed_point import floor_log2

EXP2 = (6073974783, 64239, 22271, 5186, 875)
"""2^-(t + 1/2), |t| <= 1/2, as c0 - t (c1 - t (c2 - t (c3 - t c4))): c0 in Q33, the others in Q17. A search
over their neighbours found the least relative error with 2^0 exact."""
LOG2 = torch.tensor([round(2**24 * math.log2(1 + i / 256)) for i in range(257)], dtype=torch.int32)
"""log2(1 + i/256) in Q24, i = 0 .. 256."""
RECIPROCAL_ROOT = torch.tensor(
    [round(2**30 * math.sqrt(64 / (i + 0.5))) for i in range(16, 64)], dtype=torch.int64
)
"""1/sqrt((i + 0.5)/64) in Q30, i = 16 .. 63: where the Newton iteration starts."""
QUARTER_OCTAVES = torch.tensor([round(2 ** (30 + i / 4)) for i in range(4)], dtype=torch.int64)
"""2^(i/4) in Q30, i = 0 .. 3."""
ACTIVATION_PIECES = 64
"""Of an activation function's table."""


def exp2_negative(z: torch.Tensor) -> torch.Tensor:
    """2^-z. z: int64 >= 0, Q16. Returns int64 in Q30, 0 .. 2^30; relative error below 2^-17 plus 2^-30.

    t is 16 bits and so is every coefficient but c0 and c1, hence all products fit int32; c0 - t * slope lies
    in 2^32 .. 2^33, so that its low 32 bits, to which int32 wraps, tell all of it. Never rises with z, and
    2^-n is exact.
    """
    c0, *others, c4 = EXP2
    narrow = z.clamp(max=32 << 16).to(torch.int32)
    t = (narrow & 65535).sub_(2**15)
    product = t * c4
    for c in reversed(others):  # In place: softmax spends its time here.
        product.bitwise_right_shift_(16).neg_().add_(c).mul_(t)
    product.neg_().add_(c0 - 2**32)
    mantissa = product.bitwise_right_shift_(3).bitwise_and_(2**29 - 1).add_(2**29 + 1)
    return mantissa.bitwise_right_shift_(narrow.bitwise_right_shift_(16).clamp_(max=31)).to(torch.int64)


def log2(v: torch.Tensor) -> torch.Tensor:
    """log2 v. v: int64 > 0. Returns int64 in Q16; error below 1.2 steps."""
    table = LOG2.to(torch.int64)
    whole = floor_log2(v)
    fraction = torch.where(whole > 30, v >> (whole - 30).clamp(min=0), v << (30 - whole).clamp(min=0)) - 2**30
    index, rest = fraction >> 22, (fraction >> 6) & 65535
    interpolated = table[index] + (((table[index + 1] - table[index]) * rest + 2**15) >> 16)
    return (whole << 16) + ((interpolated + 128) >> 8)


def reciprocal_root(v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """1/sqrt(v) = root * 2^-45 * 2^-half. v: int64 > 0, < 2^62.

    Returns int64 root in (2^30, 2^31] and int64 half in -14 .. 16; relative error below 2^-27.
    """
    half = (floor_log2(v) - 28) >> 1
    v = torch.where(half >= 0, v >> (2 * half).clamp(min=0), v << (-2 * half).clamp(min=0))
    root = RECIPROCAL_ROOT[(v >> 24) - 16]
    for _ in range(3):
        error = (((root * root) >> 30) * v) >> 30
        root = (root * ((3 << 30) - error)) >> 31
    return root, half


def activation_table(sigmoidal: Callable[[float], float], end: float) -> torch.Tensor:
    """The g of an activation function x * g(x), with g(x) + g(-x) = 1, on -end .. 0, in 64 parabolas.

    Returns int32 (3, 64): at place t in -4096 .. 4095 of a piece, g is value - t (slope - t curve), value in
    Q16, slope and curve in Q31 and Q46 of a place. Each passes through g at the piece's Chebyshev
    points. All fit 16 bits.
    """
    half, node = end / ACTIVATION_PIECES / 2, math.sqrt(3) / 2
    pieces = []
    for piece in range(ACTIVATION_PIECES):
        middle = -(2 * piece + 1) * half
        nearer, value, farther = (sigmoidal(middle + offset * half) for offset in (node, 0, -node))
        slope, curve = (nearer - farther) / (2 * node), (nearer + farther - 2 * value) / (2 * node**2)
        pieces.append((round(value * 2**16), round(slope * 2**19), round(curve * 2**22)))
    return torch.tensor(pieces, dtype=torch.int32).T.contiguous()


def sigmoid(x: float) -> float:
    """The g of SiLU."""
    return 1 / (1 + math.exp(-x))


def normal_distribution(x: float) -> float:
    """The g of GELU."""
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


def normal_distribution_by_tanh(x: float) -> float:
    """The g of GELU's tanh approximation."""
    return 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
