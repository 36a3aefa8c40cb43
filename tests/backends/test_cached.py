"""Full and shallow calls in C: the reference's bits, call after call, each drawing with its own cache."""

from __future__ import annotations

import pytest
import torch
from skipping import CALLS, cached

from dgqc.backends import reference
from dgqc.backends.c.emission.emit import emit
from dgqc.backends.c.execution.run import CProgram
from dgqc.backends.c.target import CTarget
from dgqc.bundle.vectors import ReferenceEvidence, random_drawing, random_inputs
from dgqc.ir.caching import FeatureCache, calls_of, kinds_of
from dgqc.ir.program import Program

from .kernels import Builds, check
from .unet_like import with_ddim


@pytest.fixture(
    scope="module", params=[(False, False), (True, False), (True, True)], ids=["one", "two", "amends"]
)
def program(request: pytest.FixtureRequest) -> Program:
    two, amends = request.param
    return CTarget().lay_out(with_ddim(cached(conditions=True, two=two, amends=amends)))


@pytest.fixture(scope="module")
def library(program: Program, tmp_path_factory: pytest.TempPathFactory) -> CProgram:
    folder = tmp_path_factory.mktemp("cached")
    evidence = ReferenceEvidence(program)
    emit(program, folder, vectors=evidence.vectors, drawing=evidence.drawing)
    return CProgram(folder)


@pytest.mark.parametrize("two", [False, True])
def test_a_full_call_in_blocks_of_any_size(kernels: Builds, two: bool) -> None:
    program = cached(two=two)
    check(kernels, program, random_inputs(program, 0))


def amends_of(program: Program) -> bool:
    return bool(kinds_of(program.graph).amends)


def test_two_drawings_in_turn(library: CProgram, program: Program) -> None:
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
            is_full = torch.equal(wanted, reference.run(program, inputs, step))
            alone = step == 0 or (step == 2 and not amends_of(program)) or (drawing == 1 and step == 1)
            assert is_full == alone


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
