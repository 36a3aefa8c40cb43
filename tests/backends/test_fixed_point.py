"""`dgqc_fixed_point.h` against `ir.arithmetic`, function by function."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from dgqc.backends.c.emission.literals import lookup_source
from dgqc.backends.c.emission.project import RUNTIME
from dgqc.ir.arithmetic.fixed_point import floor_log2, round_shift
from dgqc.ir.arithmetic.lookup import exp2_negative, log2, reciprocal_root

SOURCE = """
#include "dgqc_fixed_point.h"
#define EACH(name, expression) \\
    void name(const int64_t *x, int64_t *y, size_t count) \\
    { \\
        for (size_t i = 0; i < count; i++) { \\
            const int64_t v = x[i]; \\
            int32_t half = 0; \\
            (void)half; \\
            y[i] = expression; \\
        } \\
    }
EACH(test_exp2, dgqc_exp2_negative((uint32_t)v))
EACH(test_log2, dgqc_log2(v))
EACH(test_floor_log2, dgqc_floor_log2(v))
EACH(test_root, dgqc_reciprocal_root(v, &half))
EACH(test_half, (dgqc_reciprocal_root(v, &half), half))
EACH(test_round_shift, dgqc_round_shift(v, 1 + (int32_t)((uint64_t)v % 62)))
EACH(test_saturate, dgqc_saturate16(v) + (int64_t)dgqc_saturate32(v))
"""
Function = Callable[[torch.Tensor], torch.Tensor]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    directory: Path = tmp_path_factory.mktemp("fixed_point")
    (directory / "functions.c").write_text(SOURCE + lookup_source())
    command = [
        "gcc",
        "-std=c99",
        "-O2",
        "-fPIC",
        "-shared",
        f"-I{RUNTIME}",
        "functions.c",
        "-o",
        "functions.so",
    ]
    subprocess.run(command, cwd=directory, check=True)
    return ctypes.CDLL(str(directory / "functions.so"))


def wide_numbers(bits: int) -> torch.Tensor:
    """Positive numbers of every length up to `bits` bits, powers of two and their neighbours among them."""
    generator = torch.Generator().manual_seed(0)
    powers = torch.ones(bits, dtype=torch.int64) << torch.arange(bits)
    filled = torch.randint(0, 2**62, (2000, 1), generator=generator) & (powers - 1)
    return torch.cat([powers, powers - 1, powers + 1, (powers + filled).flatten()]).clamp(1, 2**bits - 1)


EVERY_OCTAVE = torch.cat([torch.arange(0, 40 << 16, 3), torch.tensor([2**31, 2**32 - 1])])
SIGNED = torch.cat([wide_numbers(62), -wide_numbers(62)])


@pytest.mark.parametrize(
    ("name", "numbers", "expected"),
    [
        ("test_exp2", EVERY_OCTAVE, exp2_negative),
        ("test_log2", wide_numbers(61), log2),
        ("test_floor_log2", wide_numbers(62), floor_log2),
        ("test_root", wide_numbers(62), lambda v: reciprocal_root(v)[0]),
        ("test_half", wide_numbers(62), lambda v: reciprocal_root(v)[1]),
        ("test_round_shift", wide_numbers(61), lambda v: round_shift(v, 1 + v % 62)),
        ("test_saturate", SIGNED, lambda v: v.clamp(-(2**15), 2**15 - 1) + v.clamp(-(2**31), 2**31 - 1)),
    ],
)
def test_agrees(library: ctypes.CDLL, name: str, numbers: torch.Tensor, expected: Function) -> None:
    found = torch.empty_like(numbers)
    count = ctypes.c_size_t(numbers.numel())
    getattr(library, name)(ctypes.c_void_p(numbers.data_ptr()), ctypes.c_void_p(found.data_ptr()), count)
    wrong = found != expected(numbers)
    assert not bool(wrong.any()), (numbers[wrong][:5], found[wrong][:5])
