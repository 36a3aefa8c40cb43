"""A bundle is whole, unaltered and readable, or it is refused; nothing foreign is overwritten."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import dgqc
from dgqc.bundle.output_directory import written_whole
from dgqc.bundle.vectors import random_inputs
from dgqc.execution.compiled_program import CompiledProgram
from dgqc.ir.errors import DgqcError

Change = Callable[[Path], None]


def edit_manifest(**fields: object) -> Change:
    def change(bundle: Path) -> None:
        path = bundle / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))

    return change


def flip_a_bit(bundle: Path) -> None:
    path = bundle / "program" / "program.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


CHANGES: dict[str, tuple[Change, str]] = {
    "altered": (flip_a_bit, "was altered: program/program.safetensors"),
    "missing": (lambda bundle: (bundle / "c" / "src" / "model.c").unlink(), "c/src/model.c is missing"),
    "no manifest": (lambda bundle: (bundle / "manifest.json").unlink(), "has no manifest.json"),
    "newer": (edit_manifest(format=99), "bundle format 99, .*; update dgqc"),
    "older": (edit_manifest(format=1), "bundle format 1, .*; compile the model again"),
    "not a bundle": (edit_manifest(kind="else"), "no dgqc bundle's manifest"),
    "outside": (edit_manifest(files={"../x": {"sha256": "", "size": 0}}), "is damaged"),
    "no schedule": (edit_manifest(schedule={}), "is damaged"),
    "cut off": (lambda bundle: (bundle / "manifest.json").write_text("{") and None, "can't be read"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_damaged_bundles_are_refused(saved: Path, tmp_path: Path, name: str) -> None:
    change, message = CHANGES[name]
    copy = tmp_path / "bundle"
    shutil.copytree(saved, copy)
    change(copy)
    with pytest.raises(DgqcError, match=message):
        dgqc.load(copy)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DgqcError, match="does not exist"):
        dgqc.load(tmp_path / "nowhere")


def test_loading_gives_the_same_bits(program: CompiledProgram, saved: Path) -> None:
    loaded = dgqc.load(saved)
    assert loaded.provenance == program.provenance
    assert loaded.program.schedule == program.program.schedule
    for step in range(len(program.program.schedule)):
        inputs = random_inputs(program.program, step)
        expected = program.run_integers(inputs, step, backend="reference")
        assert torch.equal(loaded.run_integers(inputs, step, backend="reference"), expected)
        assert torch.equal(loaded.run_integers(inputs, step, backend="c"), expected)


def test_a_bundle_may_be_replaced_but_nothing_else(
    program: CompiledProgram, saved: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(saved, bundle)
    program.save(bundle)
    dgqc.load(bundle)
    (bundle / "notes.txt").write_text("mine")
    with pytest.raises(DgqcError, match=r"notes\.txt, which dgqc did not write"):
        program.save(bundle)
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("mine")
    with pytest.raises(DgqcError, match="is not a dgqc bundle"):
        program.save(other)
    assert (other / "thesis.tex").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "other"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError()])
def test_nothing_half_written_is_left(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "bundle"

    def write() -> None:
        with written_whole(target, lambda _: None) as folder:
            (folder / "part").write_text("half")
            raise error

    expected = DgqcError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected, match="No space left" if expected is DgqcError else None):
        write()
    assert not list(tmp_path.iterdir())
