"""Full and shallow calls by LLVM and IREE: an entry for each, the reference's bits in sequence."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skipping import CALLS, OFTEN, SOURCE, cached

from dgqc.backends import reference
from dgqc.backends.mlir.emission.emit import emit
from dgqc.backends.mlir.emission.interface import INTERFACE, MODULE, SHALLOW
from dgqc.backends.mlir.emission.joined import PROJECT, SCRIPT, emit_joined
from dgqc.backends.mlir.execution.iree import IreeProgram, compiled, loaded
from dgqc.backends.mlir.execution.llvm import LlvmProgram
from dgqc.bundle.vectors import random_inputs, reference_vectors
from dgqc.ir.caching import FeatureCache
from dgqc.ir.program import Program

PAGE = Path(__file__).parents[3] / "docs" / "mlir.md"


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
    ("two", "amends", "calls"),
    [(False, False, SOURCE), (True, False, SOURCE), (False, True, OFTEN), (True, True, OFTEN)],
    ids=["one", "two", "amends-by-one", "amends-by-two"],
)


@KINDS
def test_llvm(two: bool, amends: bool, calls: tuple[int, ...]) -> None:
    program = cached(two=two, amends=amends, calls=calls)
    in_sequence(program, LlvmProgram(program).run)


@KINDS
def test_iree(tmp_path: Path, two: bool, amends: bool, calls: tuple[int, ...]) -> None:
    program = cached(two=two, amends=amends, calls=calls)
    emit(program, tmp_path, vectors=reference_vectors(program))
    in_sequence(program, IreeProgram(tmp_path).run)


def test_vectors_are_of_the_module_that_they_lie_beside(tmp_path: Path) -> None:
    """Those of full calls say what these do alone, whatever amends they make."""
    program = cached(two=True, amends=True)
    emit(program, tmp_path, vectors=reference_vectors(program))
    folders = {path.parent.name: path for path in tmp_path.rglob("output.npy")}
    assert folders.keys() == {"step_0", "step_1", "step_2", "step_4"}
    assert all((SHALLOW in path.parts) == (name in ("step_1", "step_4")) for name, path in folders.items())
    assert (tmp_path / SHALLOW / "vectors" / "step_1" / "cache.npy").exists()
    for step in (0, 2):
        alone = reference.run(program, random_inputs(program, step), step)
        assert np.array_equal(np.load(folders[f"step_{step}"]), alone.numpy())


def function_of(module: Path) -> Callable[..., Any]:
    """As a user calls it: arrays to an array, or to several."""
    function = loaded(compiled(module))["main"]

    def called(*given: NDArray[Any]) -> Any:
        found = function(*given)
        many = [np.array(one.to_host()) for one in (found if isinstance(found, tuple | list) else [found])]
        return many if len(many) > 1 else many[0]

    return called


@pytest.mark.parametrize("two", [False, True])
def test_what_the_page_tells_callers(tmp_path: Path, two: bool) -> None:
    """Pictures from each step on, and one that is left in the middle and begun anew."""
    program = cached(conditions=True, two=two, amends=True, calls=OFTEN)
    emit(program, tmp_path)
    (text,) = re.findall(r"^```python\n(import numpy.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    page: dict[str, Any] = {}
    exec(text, page)
    modules = [function_of(tmp_path / folder / MODULE) for folder in (".", SHALLOW)]
    calls = json.loads((tmp_path / INTERFACE).read_text())["calls"]
    for steps in (*(range(first, CALLS) for first in range(CALLS)), (0, 1, 2, 0, 1, 3, 4, 3, 4)):
        picture, cache = page["Picture"](*modules, calls), FeatureCache()
        for seed, step in enumerate(steps):
            inputs = random_inputs(program, seed)
            wanted = reference.run(program, inputs, step, cache)
            found = picture.call(step, *(inputs[given.name].numpy() for given in program.inputs))
            assert np.array_equal(found, wanted.numpy()), (steps, step)


def test_a_joined_project_has_both_modules(tmp_path: Path) -> None:
    folder = tmp_path / "joined"
    emit_joined({"unet": cached(two=True, amends=True)}, folder)
    told, script = json.loads((folder / PROJECT).read_text())["unet"], (folder / SCRIPT).read_text()
    assert told["calls"]["sources"] == list(SOURCE)
    assert (told["entry"], told[SHALLOW]["entry"]) == ("unet.main", "unet_shallow.main")
    assert [name for name, _ in told[SHALLOW]["inputs"]] == ["sample", "cache"]
    for one in (told, told[SHALLOW]):
        name, _ = one["entry"].split(".")
        assert f"module @{name} " in (folder / one["folder"] / MODULE).read_text()
        assert f"--module={one['folder']}/model.vmfb" in script
