"""Exact arithmetic to compare with, and random integers that include the extremes."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

import numpy
import torch
from hypothesis import strategies as st

import dgqc.ir.ops  # noqa: F401  (registers the ops)

STEP = torch.tensor(0)
SEEDS = st.integers(0, 2**31 - 1)


def half_up(value: Fraction) -> int:
    """The nearest integer, ties up: the one rounding rule."""
    return floor(value + Fraction(1, 2))


def clamp(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)


def exact(tensor: torch.Tensor) -> Any:
    """A tensor of integers as an array of Python integers, which never overflow."""
    return numpy.array(tensor.tolist(), dtype=object)


def apply(function: Any, *arrays: Any) -> Any:
    """A function of Python numbers on every element."""
    return numpy.frompyfunc(function, len(arrays), 1)(*arrays)


def integers(seed: int, low: int, high: int, *shape: int, dtype: torch.dtype = torch.int64) -> torch.Tensor:
    """Random integers low .. high; some of them are the ends themselves."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randint(low, high + 1, shape, generator=generator, dtype=torch.int64)
    place = torch.randint(0, 8, shape, generator=generator)
    values = torch.where(place == 0, low, values)
    return torch.where(place == 1, high, values).to(dtype)


def reals(seed: int, *shape: int) -> torch.Tensor:
    """Normally distributed float64."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
