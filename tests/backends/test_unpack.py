"""Weights of 4 bits times their groups' multiples, in every build that this machine can run."""

from __future__ import annotations

import ctypes
import subprocess
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgqc.backends.c.emission.project import RUNTIME
from dgqc.backends.c.kernels.panels import panels, quads_of

from .integer_graph import pick
from .test_tile import BUILDS, NEEDS, STRICT

MOST = 16


class Segment(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_uint32) for name in ("first", "count", "code")),
        *((name, ctypes.c_int32) for name in ("zero", "multiple")),
    ]


class Multiples(ctypes.Structure):
    _fields_ = [("quads", ctypes.c_void_p), ("alike", ctypes.c_void_p), ("count", ctypes.c_size_t)]


@pytest.fixture(scope="session", params=BUILDS)
def unpack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    need = NEEDS.get(request.param)
    if need and need not in Path("/proc/cpuinfo").read_text():
        pytest.skip(f"this machine has no {need}")
    library = tmp_path_factory.mktemp(f"unpack-{request.param}") / "libunpack.so"
    flags = [*STRICT, *BUILDS[request.param], f"-I{RUNTIME}", "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, "-o", str(library), str(RUNTIME / "dgqc_unpack.c")], check=True)
    return ctypes.CDLL(str(library))


def unpacked(
    library: ctypes.CDLL, weight: torch.Tensor, ends: list[int], of_group: list[int], first: int, count: int
) -> torch.Tensor:
    """Quads of the first panel. weight: int8 (16, taps, channels)."""
    packed = panels(weight, 4)
    segments = (Segment * len(ends))(
        *(
            Segment(begin, end - begin, 0, 0, m)
            for (begin, end), m in zip(pairwise((0, *ends)), of_group, strict=True)
        )
    )
    channels = weight.shape[-1]
    of_tap = -(-channels // 4)
    tables, alike = torch.zeros(of_tap, 4, 16, dtype=torch.int8), torch.zeros(of_tap, dtype=torch.uint8)
    multiples = Multiples(tables.data_ptr(), alike.data_ptr(), of_tap)
    library.dgqc_multiply_nibbles(segments, ctypes.c_size_t(channels), ctypes.byref(multiples))
    found = torch.full((count + 1, 16, 4), 77, dtype=torch.int8)
    library.dgqc_unpack(
        ctypes.c_void_p(packed.data_ptr()),
        ctypes.byref(multiples),
        *map(ctypes.c_size_t, (first, count)),
        ctypes.c_void_p(found.data_ptr()),
    )
    assert bool((found[count] == 77).all())
    return found[:count]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 3), st.integers(1, 90), st.integers(1, 9))
def test_every_weight_is_multiplied_by_its_group(
    unpack: ctypes.CDLL, seed: int, taps: int, channels: int, groups: int
) -> None:
    """Groups of any sizes, so that quads are shared by up to four; from any quad on, over taps."""
    random = Random(seed)
    ends = [*sorted(random.sample(range(1, channels), min(groups, channels) - 1)), channels]
    multiples = [random.randint(1, MOST) for _ in ends]
    weight = pick(torch.Generator().manual_seed(seed), -8, 7, 16, taps, channels, dtype=torch.int8)
    quads = quads_of(weight)
    first = random.randint(0, quads - 1)
    count = random.randint(1, quads - first)
    group = torch.bucketize(torch.arange(channels), torch.tensor(ends), right=True)
    expected = panels(weight * torch.tensor(multiples)[group], 8)[0, first : first + count]
    assert torch.equal(unpacked(unpack, weight, ends, multiples, first, count), expected.to(torch.int8))


def test_the_largest_multiple_of_the_least_weight_fits(unpack: ctypes.CDLL) -> None:
    weight = torch.full((16, 1, 8), -8, dtype=torch.int8)
    assert bool((unpacked(unpack, weight, [8], [MOST], 0, 2) == -128).all())
