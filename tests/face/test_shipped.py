"""A bundle may come from a stranger: nothing in it is compiled, and `verify` says what was changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import dgqc
from dgqc.bundle.bundle import Contents, save
from dgqc.bundle.vectors import random_inputs
from dgqc.execution.compiled_program import CompiledProgram

from .renewal import renew

HOSTILE = """
#include <stdlib.h>
__attribute__((constructor)) static void hostile(void) { if (system("touch MARK")) abort(); }
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bundle(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "bundle"))


def test_c_in_a_bundle_is_not_compiled(
    bundle: Path, program: CompiledProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "mark"
    for path in (bundle / "c" / "src" / "model.c", bundle / "c" / "include" / "string.h"):
        text = path.read_text() if path.exists() else ""
        path.write_text(text + HOSTILE.replace("MARK", str(mark)))
    renew(bundle)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    inputs = random_inputs(program.program, 3)
    found = dgqc.load(bundle).run_integers(inputs, 1, backend="c")
    assert torch.equal(found, program.run_integers(inputs, 1, backend="reference"))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("file", "change", "found"),
    [
        ("c/src/dgqc_add.c", "edited", "c/src/dgqc_add.c is not what dgqc writes for this program"),
        ("c/include/string.h", "added", "c/include/string.h is not one of the files that dgqc writes"),
        ("c/Makefile", "removed", "c/Makefile is missing"),
    ],
)
def test_verify_names_the_file(bundle: Path, run: Run, file: str, change: str, found: str) -> None:
    if change == "removed":
        (bundle / file).unlink()
    else:
        (bundle / file).write_text("/* */\n")
    renew(bundle)
    code, out, _ = run("verify", bundle, "--steps-sampled", 1, "--backends", "c")
    assert code == 1
    assert found in out


def test_verify_of_an_honest_bundle(bundle: Path, run: Run) -> None:
    code, out, _ = run("verify", bundle, "--steps-sampled", 1, "--backends", "c")
    assert code == 0
    assert "Every file in c/ is what dgqc writes for this program." in out


def test_constants_that_are_the_programs_are_used_where_they_lie(
    program: CompiledProgram, tmp_path: Path
) -> None:
    place, text = tmp_path / "file.dgqc", "c{prefix=small,weights=file}"
    save(Contents(program.program, program.provenance, program.report), place, [text])
    assert (place / "c" / "small_weights.bin").is_file()
    assert json.loads((place / "manifest.json").read_text())["targets"] == [text]
    inputs = random_inputs(program.program, 3)
    expected = program.run_integers(inputs, 1, backend="reference")
    assert torch.equal(dgqc.load(place).run_integers(inputs, 1, backend="c"), expected)
