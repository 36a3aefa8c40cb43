"""The tile kernel, in every build that this machine can run: sums of rows and panels."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from random import Random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgqc.backends.c.emission.project import RUNTIME
from dgqc.backends.c.kernels.panels import panels

from .integer_graph import pick

BUILDS = {
    "portable": ("-O2", "-DDGQC_PORTABLE"),
    "generic": ("-O2",),
    "avx2": ("-O2", "-mavx2"),
    "avxvnni": ("-O2", "-mavx2", "-mavxvnni"),
    "avx512": ("-O2", "-mavx512vnni", "-mavx512bw", "-mavx512vl"),
    "native": ("-O1", "-march=native"),
}
NEEDS = {"avx2": "avx2", "avxvnni": "avx_vnni", "avx512": "avx512_vnni"}
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wcast-qual")
many = settings(max_examples=150, deadline=None)
"""Rows, columns and sums of every alignment."""


class Run(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("code", "quad", "quads", "ratio")]


class Panels(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("columns", ctypes.c_size_t),
        ("quads", ctypes.c_size_t),
        ("bits", ctypes.c_int),
    ]


class Sum(ctypes.Structure):
    _fields_ = [
        ("runs", ctypes.POINTER(Run)),
        ("count", ctypes.c_size_t),
        ("last", ctypes.c_uint32),
    ]


@pytest.fixture(scope="session", params=BUILDS)
def tile(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    need = NEEDS.get(request.param)
    if need and need not in Path("/proc/cpuinfo").read_text():
        pytest.skip(f"this machine has no {need}")
    library = tmp_path_factory.mktemp(request.param) / "libtile.so"
    # The sizes are constants of the build.
    probe = library.with_name("probe.c")
    probe.write_text(
        '#include "dgqc_tile.h"\nextern int sizes[2];\nint sizes[2] = {DGQC_TILE_ROWS, DGQC_TILE_COLUMNS};'
    )
    sources = [*map(str, (RUNTIME / "dgqc_tile.c", RUNTIME / "dgqc_requantize.c", probe))]
    flags = [*STRICT, *BUILDS[request.param], f"-I{RUNTIME}", "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, "-o", str(library), *sources], check=True)
    return ctypes.CDLL(str(library))


def test_packing_keeps_every_weight_once() -> None:
    weight = torch.arange(1, 1 + 3 * 2 * 2 * 5).reshape(3, 2, 2, 5).to(torch.int8)
    packed = panels(weight, 8)
    assert packed.shape == (1, 8, 16, 4)
    for n, y, x, c in torch.cartesian_prod(*(torch.arange(size) for size in weight.shape)).tolist():
        assert packed[0, 2 * (2 * y + x) + c // 4, n, c % 4] == weight[n, y, x, c]
    assert int((packed != 0).sum()) == weight.numel()


@given(st.integers(0, 2**31), st.integers(1, 40), st.integers(1, 40))
def test_halves_hold_even_and_odd_quads(seed: int, columns: int, depth: int) -> None:
    weight = pick(torch.Generator().manual_seed(seed), -8, 7, columns, depth, dtype=torch.int8)
    whole, halves = panels(weight, 8), panels(weight, 4).to(torch.int16)
    assert torch.equal(((halves & 15) ^ 8) - 8, whole[:, 0::2])
    odd = whole[:, 1::2]
    assert torch.equal(((halves[:, : odd.shape[1]] >> 4) ^ 8) - 8, odd)


def sizes(tile: ctypes.CDLL) -> tuple[int, int]:
    """Rows and columns of the build's tile."""
    rows, columns = (ctypes.c_int * 2).in_dll(tile, "sizes")
    return rows, columns


def run(
    tile: ctypes.CDLL,
    codes: torch.Tensor,
    packed: torch.Tensor,
    columns: int,
    bits: int,
    quads: int,
    column: int,
    runs: list[tuple[int, int, int, int]],
    last: int,
) -> torch.Tensor:
    rows, width = sizes(tile)
    count = codes.shape[0]
    pointers = (ctypes.c_void_p * count)(*(codes.data_ptr() + r * codes.stride(0) for r in range(count)))
    sums = Sum((Run * len(runs))(*runs), len(runs), last)
    totals = torch.full((rows * width + 16,), 77, dtype=torch.int32)
    tile.dgqc_tile(
        ctypes.byref(Panels(packed.data_ptr(), columns, quads, bits)),
        ctypes.byref(sums),
        pointers,
        ctypes.c_size_t(count),
        ctypes.c_size_t(column),
        None,
        ctypes.c_void_p(totals.data_ptr()),
    )
    assert bool((totals[rows * width :] == 77).all())
    return totals[: rows * width].reshape(rows, width)[:count, : columns - column]


@many
@given(st.integers(0, 2**31), st.sampled_from([4, 8]), st.integers(1, 70), st.integers(1, 40))
def test_sums(tile: ctypes.CDLL, seed: int, bits: int, columns: int, quads: int) -> None:
    """Any number of rows, any runs, any ratios."""
    random = Random(seed)
    column = 16 * random.randint(0, (columns - 1) // 16)
    runs = []
    for _ in range(random.randint(1, 5)):
        first = random.randint(0, quads)
        length = random.randint(0, quads - first)
        runs.append((random.randint(0, 40), first, length, random.choice([1, 2, 3, 40, 2**31 + 5])))
    last = random.choice([1, 7, 2**32 - 3])
    generator = torch.Generator().manual_seed(seed)
    weight = pick(generator, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, columns, 4 * quads, dtype=torch.int8)
    rows = random.randint(1, sizes(tile)[0])
    codes = pick(generator, 0, 255, rows, 40 + 4 * quads, dtype=torch.uint8)
    total = torch.zeros(rows, columns, dtype=torch.int64)
    for code, quad, length, ratio in runs:
        total *= ratio  # wraps at 2^64, and what counts are the lowest 32 bits
        taken = codes[:, code : code + 4 * length].to(torch.int64)
        total += taken @ weight[:, 4 * quad : 4 * (quad + length)].to(torch.int64).T
    found = run(tile, codes, panels(weight, bits), columns, bits, quads, column, runs, last)
    expected = (total * last).to(torch.int32)[:, column : column + found.shape[1]]
    assert torch.equal(found, expected)


def test_extremes_do_not_saturate(tile: ctypes.CDLL) -> None:
    """255 * 127 twice passes int16, which the wrong instruction would clamp."""
    for code in (-128, 127):
        weight = torch.full((32, 64), code, dtype=torch.int8)
        codes = torch.full((4, 64), 255, dtype=torch.uint8)
        found = run(tile, codes, panels(weight, 8), 32, 8, 16, 0, [(0, 0, 16, 1)], 1)
        assert bool((found == 64 * 255 * code).all())
