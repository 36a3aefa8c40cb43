"""Weights of 2 and 3 bits become panels of 4, in every build that this machine can run."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgqc.backends.c.emission.project import RUNTIME
from dgqc.backends.c.kernels.panels import nibble_bytes, panels, quads_of

from .integer_graph import pick
from .test_tile import BUILDS, NEEDS, STRICT, Panels

GUARD = 77


@pytest.fixture(scope="session", params=BUILDS)
def nibbles(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    need = NEEDS.get(request.param)
    if need and need not in Path("/proc/cpuinfo").read_text():
        pytest.skip(f"this machine has no {need}")
    library = tmp_path_factory.mktemp(f"nibbles-{request.param}") / "libnibbles.so"
    flags = [*STRICT, *BUILDS[request.param], f"-I{RUNTIME}", "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, "-o", str(library), str(RUNTIME / "dgqc_nibbles.c")], check=True)
    found = ctypes.CDLL(str(library))
    found.dgqc_nibbles.restype = Panels
    return found


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 2**31), st.sampled_from([2, 3]), st.integers(1, 40), st.integers(1, 3), st.integers(1, 90)
)
def test_they_are_what_the_same_weights_are_with_4_bits(
    nibbles: ctypes.CDLL, seed: int, bits: int, columns: int, taps: int, channels: int
) -> None:
    """Any number of blocks, also such that leave packed ones partly empty; and no byte beyond."""
    half = 2 ** (bits - 1)
    random, shape = torch.Generator().manual_seed(seed), (columns, taps, channels)
    weight = pick(random, -half, half - 1, *shape, dtype=torch.int8)
    packed, size = panels(weight, bits), nibble_bytes(weight)
    memory = torch.full((size + 64,), GUARD, dtype=torch.uint8)
    given_panels = Panels(packed.data_ptr(), columns, quads_of(weight), bits)
    place = ctypes.c_void_p(memory.data_ptr())
    found = nibbles.dgqc_nibbles(ctypes.byref(given_panels), ctypes.byref(place))
    assert (found.data, found.bits, place.value) == (memory.data_ptr(), 4, memory.data_ptr() + size)
    assert torch.equal(memory[:size], panels(weight, 4).reshape(-1))
    assert bool((memory[size:] == GUARD).all())


def test_panels_of_3_bits_take_three_eighths_of_those_of_8() -> None:
    weight = torch.zeros(32, 64, dtype=torch.int8)
    assert [panels(weight, bits).nbytes for bits in (8, 4, 3, 2)] == [2048, 1024, 768, 512]


def test_panels_of_4_bits_stay_where_they_are(nibbles: ctypes.CDLL) -> None:
    given_panels, place = Panels(1234, 16, 3, 4), ctypes.c_void_p(5678)
    found = nibbles.dgqc_nibbles(ctypes.byref(given_panels), ctypes.byref(place))
    assert (found.data, found.bits, place.value) == (1234, 4, 5678)
