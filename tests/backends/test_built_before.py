"""A program that was built once is loaded from the cache: nothing is laid out, emitted or compiled again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dgqc.backends import reference
from dgqc.backends.c import target
from dgqc.backends.c.emission.emit import emit
from dgqc.backends.c.emission.storage import Storage
from dgqc.backends.c.execution import built_before as cache
from dgqc.backends.c.execution.build import cache_folder
from dgqc.backends.c.execution.built_before import record_of
from dgqc.backends.c.kernels import registry
from dgqc.backends.c.target import CTarget
from dgqc.ir.program import Program
from dgqc.ir.telling import told_to

from .unet_like import inputs_of, unet_like


class Emitted(Exception):
    """Something was emitted."""


def complete(seed: int) -> Program:
    """A program with scales, as compiled ones have them."""
    program, scale = unet_like(seed), torch.ones(3, dtype=torch.float64)
    inputs = tuple(replace(item, scale=scale) for item in program.inputs)
    return replace(program, inputs=inputs, output_scale=scale, facts=frozenset({"integers"}))


@pytest.fixture(scope="module")
def program() -> Program:
    return complete(3)


@pytest.fixture(scope="module")
def kernels(program: Program) -> Path:
    """The tests' cache, with kernels compiled: that takes long."""
    CTarget().open("c", program, None)
    return cache_folder()


@pytest.fixture(autouse=True)
def kernels_alone(kernels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with kernels and no program."""
    mine = tmp_path / "cache" / "dgqc"
    for built in kernels.rglob("kernels.*"):
        place = mine / built.relative_to(kernels)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(built, place)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return mine


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From when it is called on, emitting raises."""

    def emit(*arguments: object, **options: object) -> None:
        raise Emitted

    return lambda: monkeypatch.setattr(target, "emit", emit)


def right(program: Program, c: CTarget, project: Path | None = None) -> bool:
    inputs = inputs_of(program, seed=5)
    return torch.equal(c.open("c", program, project)(inputs, 1), reference.run(program, inputs, 1))


def test_the_second_time_nothing_is_emitted(program: Program, refuse: Callable[[], None]) -> None:
    assert right(program, CTarget())
    refuse()
    assert right(program, CTarget())
    assert right(program.with_report("seconds", 3), CTarget()), "what passes reported changes no program"


def test_what_is_done_is_told(program: Program) -> None:
    told: list[str] = []
    with told_to(told.append):
        assert right(program, CTarget())
        assert right(program, CTarget())
    assert told[0] == "Laying out and emitting C for model."
    assert told[1].startswith("Compiling and linking model with ")
    assert told[2].startswith("Built before from the same graph: ")
    assert len(told) == 3, "kernels were there"
    assert right(program, CTarget(prefix="other"))
    assert len(told) == 3, "nobody asked"


def test_another_program_is_built(program: Program, refuse: Callable[[], None]) -> None:
    assert right(program, CTarget())
    refuse()
    with pytest.raises(Emitted):
        CTarget().open("c", complete(4), None)
    with pytest.raises(Emitted):
        CTarget(prefix="other").open("c", program, None)
    scale = torch.full((len(program.schedule),), 0.5, dtype=torch.float64)
    assert record_of(replace(program, output_scale=scale), "c") != record_of(program, "c")


def test_other_code_of_dgqc_builds_anew(
    program: Program, refuse: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert right(program, CTarget())
    refuse()
    monkeypatch.setattr(cache, "own_code", lambda: "edited")
    with pytest.raises(Emitted):
        CTarget().open("c", program, None)


@pytest.mark.parametrize("damage", ["record", "library"])
def test_a_damaged_cache_is_none(program: Program, kernels_alone: Path, damage: str) -> None:
    assert right(program, CTarget())
    (path,) = kernels_alone.rglob("built.json" if damage == "record" else "*.so")
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])
    assert right(program, CTarget())
    assert path.read_bytes() == content


def test_kernels_of_other_packages_are_not_remembered(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody here knows their code."""
    assert record_of(program, "c") is not None
    monkeypatch.setattr(registry, "FAMILIES", registry.FAMILIES[1:])
    assert record_of(program, "c") is None


def test_constants_in_a_file_come_from_the_bundle(
    program: Program, tmp_path: Path, refuse: Callable[[], None]
) -> None:
    """Where the bundle holds just those; another file of the same size is not taken."""
    c = CTarget(weights=Storage.FILE)
    project = tmp_path / "c"
    emit(c.lay_out(program, verified=False), project, storage=Storage.FILE)
    assert right(program, CTarget(weights=Storage.FILE), project)
    moved = Path(shutil.move(project, tmp_path / "moved"))
    constants = moved / "model_weights.bin"
    good = constants.read_bytes()
    constants.write_bytes(good[:-65] + bytes([good[-65] ^ 1]) + good[-64:])
    assert right(program, c, moved), "the graph's own constants, not the file's"
    constants.write_bytes(good)
    refuse()
    assert right(program, c, moved)
    with pytest.raises(Emitted):
        c.open("c", program, None)
