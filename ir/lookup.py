"""Functions of one variable as tables with linear interpolation: exp2, log2, 1/sqrt, gates.

The tables are computed here once and given to every backend, so that all of them look up the same integers.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from .fixed_point import floor_log2

EXP2 = torch.tensor([round(2**30 * 2 ** (-i / 256)) for i in range(257)], dtype=torch.int32)
"""2^(-i/256) in Q30, i = 0 .. 256."""
LOG2 = torch.tensor([round(2**24 * math.log2(1 + i / 256)) for i in range(257)], dtype=torch.int32)
"""log2(1 + i/256) in Q24, i = 0 .. 256."""
RECIPROCAL_ROOT = torch.tensor(
    [round(2**30 * math.sqrt(64 / (i + 0.5))) for i in range(16, 64)], dtype=torch.int64
)
"""1/sqrt((i + 0.5)/64) in Q30, i = 16 .. 63: where the Newton iteration starts."""
GATE_STEPS = 512


def exp2_negative(z: torch.Tensor) -> torch.Tensor:
    """2^-z. z: int64 >= 0, Q16. Returns int64 in Q30, 0 .. 2^30; relative error below 2^-19 plus 2^-30."""
    table = EXP2.to(torch.int64)
    index, rest = (z >> 8) & 255, z & 255
    mantissa = table[index] - (((table[index] - table[index + 1]) * rest + 128) >> 8)
    return mantissa >> (z >> 16).clamp(max=31)


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


def gate_table(gate: Callable[[float], float], reach: float) -> torch.Tensor:
    """A gate g with g(x) + g(-x) = 1 (sigmoid, the normal distribution) on -reach .. 0.

    Returns int32 (513,): g(-i * reach / 512) in Q16; the last entry is 0, the value beyond the reach.
    """
    values = [round(65536 * gate(-i * reach / GATE_STEPS)) for i in range(GATE_STEPS)]
    return torch.tensor([*values, 0], dtype=torch.int32)


def sigmoid(x: float) -> float:
    """Gate of SiLU."""
    return 1 / (1 + math.exp(-x))


def normal_distribution(x: float) -> float:
    """Gate of GELU."""
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


def normal_distribution_by_tanh(x: float) -> float:
    """Gate of GELU's tanh approximation."""
    return 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
