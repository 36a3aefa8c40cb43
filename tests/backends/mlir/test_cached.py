"""Full and shallow calls by LLVM and IREE: an entry for each, the reference's bits in sequence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from skipping import CALLS, cached

from dgqc.backends import reference
from dgqc.backends.mlir.emission.emit import emit
from dgqc.backends.mlir.emission.interface import SHALLOW
from dgqc.backends.mlir.execution.iree import IreeProgram
from dgqc.backends.mlir.execution.llvm import LlvmProgram
from dgqc.bundle.vectors import random_inputs, reference_vectors
from dgqc.ir.caching import FeatureCache, kinds_of
from dgqc.ir.program import Program


def in_sequence(program: Program, run: Callable[..., torch.Tensor]) -> None:
    """Two drawings in turn, the second from the second call on; and calls without a cache."""
    caches = [(FeatureCache(), FeatureCache()) for _ in range(2)]
    for step in range(CALLS):
        for drawing, (own, other) in enumerate(caches):
            inputs = random_inputs(program, 10 * step + drawing)
            if step >= drawing:
                assert torch.equal(run(inputs, step, own), reference.run(program, inputs, step, other))
            assert torch.equal(run(inputs, step), reference.run(program, inputs, step))


KINDS = pytest.mark.parametrize(
    ("two", "amends"), [(False, False), (True, False), (True, True)], ids=["one", "two", "amends"]
)


@KINDS
def test_llvm(two: bool, amends: bool) -> None:
    program = cached(two=two, amends=amends)
    in_sequence(program, LlvmProgram(program).run)


@KINDS
def test_iree(tmp_path: Path, two: bool, amends: bool) -> None:
    program = cached(two=two, amends=amends)
    emit(program, tmp_path, vectors=reference_vectors(program))
    in_sequence(program, IreeProgram(tmp_path, kinds_of(program.graph)).run)
    folders = {path.parent.name: path for path in tmp_path.rglob("output.npy")}
    assert folders.keys() == {"step_0", "step_1", "step_2", "step_4"}
    assert all((SHALLOW in path.parts) == (name in ("step_1", "step_4")) for name, path in folders.items())
    assert (tmp_path / SHALLOW / "vectors" / "step_1" / "cache.npy").exists()
