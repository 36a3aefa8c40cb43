"""Full and shallow calls in C: the reference's bits, call after call, each drawing with its own cache."""

from __future__ import annotations

import ctypes
import subprocess
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skipping import CALLS, OFTEN, SOURCE, cached

from dgqc.backends import reference
from dgqc.backends.c import Storage
from dgqc.backends.c.emission.emit import emit
from dgqc.backends.c.emission.project import RUNTIME
from dgqc.backends.c.execution.run import CProgram
from dgqc.backends.c.target import CTarget
from dgqc.bundle.vectors import ReferenceEvidence, random_drawing, random_inputs
from dgqc.ir.caching import FeatureCache, calls_of
from dgqc.ir.ops.cached import LARGEST_AMENDS, amended
from dgqc.ir.program import Program

from .kernels import STRICT, Builds, check
from .unet_like import with_ddim


@dataclass(frozen=True)
class Kind:
    """What `cached` is asked for. alone: calls whose answer nothing of others is in, where all calls of a
    drawing are made, and where the first isn't."""

    two: bool
    amends: bool
    calls: tuple[int, ...]
    alone: tuple[set[int], set[int]]
    storage: Storage = Storage.FILE


KINDS = {
    "one": Kind(False, False, SOURCE, ({0, 2}, {1, 2})),
    "two": Kind(True, False, SOURCE, ({0, 2}, {1, 2})),
    "amends": Kind(True, True, SOURCE, ({0}, {1})),
    "amends-by-one": Kind(False, True, OFTEN, ({0}, {1})),
    "amends-by-two": Kind(True, True, OFTEN, ({0}, {1, 2, 3})),
    "streamed": Kind(True, True, OFTEN, ({0}, {1, 2, 3}), Storage.STREAM),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(scope="module")
def program(kind: Kind) -> Program:
    small = cached(conditions=True, two=kind.two, amends=kind.amends, calls=kind.calls)
    return CTarget().lay_out(with_ddim(small))


@pytest.fixture(scope="module")
def library(program: Program, kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> CProgram:
    folder = tmp_path_factory.mktemp("cached")
    evidence = ReferenceEvidence(program)
    emit(program, folder, vectors=evidence.vectors, drawing=evidence.drawing, storage=kind.storage)
    return CProgram(folder)


@pytest.mark.parametrize("two", [False, True])
def test_a_full_call_in_blocks_of_any_size(kernels: Builds, two: bool) -> None:
    program = cached(two=two)
    check(kernels, program, random_inputs(program, 0))


@pytest.fixture(scope="module")
def amending(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    library = tmp_path_factory.mktemp("amending") / "libamending.so"
    source = RUNTIME / "dgqc_cached.c"
    command = ["gcc", *STRICT, "-O1", f"-I{RUNTIME}", "-shared", "-o", str(library), str(source)]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(library))


@given(st.integers(0, 2**16), st.integers(-LARGEST_AMENDS, LARGEST_AMENDS))
def test_amends_of_any_answers(amending: ctypes.CDLL, seed: int, amends: int) -> None:
    """The product of a difference needs more than 32 bits, and what comes out may not fit 16."""
    random = torch.Generator().manual_seed(seed)
    full, shallow = torch.randint(-32768, 32768, (2, 17), generator=random).to(torch.int16)
    found = full.clone()
    places = (ctypes.c_void_p(one.data_ptr()) for one in (shallow, found))
    amending.dgqc_amend(ctypes.c_size_t(len(full)), ctypes.c_int32(amends), *places)
    assert torch.equal(found, amended(full, shallow, amends))


def test_two_drawings_in_turn(library: CProgram, program: Program, kind: Kind) -> None:
    """The second begins in the middle; in each call both take what their own full call left."""
    caches = {name: [FeatureCache(), FeatureCache()] for name in ("c", "reference")}
    for step in range(CALLS):
        for drawing in (0, 1):
            if drawing and not step:
                continue
            inputs = random_inputs(program, 10 * step + drawing)
            wanted = reference.run(program, inputs, step, caches["reference"][drawing])
            found = library.run(inputs, step, caches["c"][drawing])
            assert torch.equal(found, wanted), (step, drawing)
            is_alone = torch.equal(wanted, reference.run(program, inputs, step))
            assert is_alone == (step in kind.alone[drawing])


def test_one_that_begins_among_shallow_calls(library: CProgram, program: Program) -> None:
    """The whole schedule twice, then from its fourth call on, where nothing older is there; full calls in the
    place of one another."""
    caches = FeatureCache(), FeatureCache()
    for seed, step in enumerate((*range(CALLS), *range(CALLS))):
        inputs = random_inputs(program, seed)
        wanted = reference.run(program, inputs, step, caches[0])
        assert torch.equal(library.run(inputs, step, caches[1]), wanted), step
    caches = FeatureCache(), FeatureCache()
    for seed, step in enumerate((3, 4, 2, 3, 2, 4)):
        inputs = random_inputs(program, seed)
        wanted = reference.run(program, inputs, step, caches[0])
        assert torch.equal(library.run(inputs, step, caches[1]), wanted), step


def test_without_a_cache_every_call_is_full(library: CProgram, program: Program) -> None:
    for step in range(CALLS):
        inputs = random_inputs(program, step)
        assert torch.equal(library.run(inputs, step), reference.run(program, inputs, step))


def test_a_guided_drawing(library: CProgram, program: Program) -> None:
    assert program.loop is not None
    for seed in (0, 1):
        drawing = random_drawing(program, seed)
        run = calls_of(lambda *given: reference.run(program, *given), program)
        assert torch.equal(library.draw(drawing), program.loop.run(run, drawing))
