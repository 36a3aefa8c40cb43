"""A bundle is whole, unaltered and readable, or it is refused; nothing foreign is overwritten."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import dgqc
from dgqc.bundle.manifest import OWN_HASH, _hash_of, read_manifest
from dgqc.bundle.vectors import random_inputs
from dgqc.execution.compiled_program import CompiledProgram
from dgqc.ir.errors import DgqcError
from dgqc.ir.storage.whole import whole_folder

Change = Callable[[Path], None]


def edit_manifest(**fields: object) -> Change:
    """Changes fields and renews the manifest's own hash, as one does who means it."""

    def change(bundle: Path) -> None:
        path = bundle / "manifest.json"
        body = {**json.loads(path.read_text()), **fields}
        del body[OWN_HASH]
        path.write_text(json.dumps({**body, OWN_HASH: _hash_of(body)}))

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
    "outside": (edit_manifest(files={"../x": {"sha256": "0" * 64, "size": 0}}), "lies outside the bundle"),
    "on another drive": (
        edit_manifest(files={"C:x": {"sha256": "0" * 64, "size": 0}}),
        "lies outside the bundle",
    ),
    "no schedule": (edit_manifest(schedule={}), "schedule.scheduler: Field required"),
    "cut off": (lambda bundle: (bundle / "manifest.json").write_text("{") and None, "is not valid JSON"),
    "report": (lambda bundle: (bundle / "report.json").write_text("[]") and None, "was altered: report.json"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_damaged_bundles_are_refused(saved: Path, tmp_path: Path, name: str) -> None:
    change, message = CHANGES[name]
    copy = tmp_path / "bundle"
    shutil.copytree(saved, copy)
    change(copy)
    with pytest.raises(DgqcError, match=message):
        dgqc.load(copy)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*path, key))
    else:
        yield path, value


def test_every_edit_of_a_manifest_is_noticed(saved: Path, tmp_path: Path) -> None:
    text = (saved / "manifest.json").read_text()
    for place, value in leaves(json.loads(text)):
        text_or_number = f"{value}x" if isinstance(value, str) else 7 if value != 7 else 8
        other = not value if isinstance(value, bool) else text_or_number
        for removed in (False, True):
            edited = inner = json.loads(text)
            for key in place[:-1]:
                inner = inner[key]
            if removed:
                del inner[place[-1]]
            else:
                inner[place[-1]] = other
            (tmp_path / "manifest.json").write_text(json.dumps(edited))
            with pytest.raises(DgqcError):
                read_manifest(tmp_path)
    edited = json.loads(text)
    edited["schedule"]["timesteps"].reverse()
    (tmp_path / "manifest.json").write_text(json.dumps(edited))
    with pytest.raises(DgqcError, match="was altered since it was written"):
        read_manifest(tmp_path)


def test_a_schedule_that_is_not_the_programs_is_refused(saved: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(saved, copy)
    schedule = json.loads((saved / "manifest.json").read_text())["schedule"]
    edit_manifest(schedule={**schedule, "timesteps": schedule["timesteps"][::-1]})(copy)
    with pytest.raises(DgqcError, match="says one schedule"):
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
        with whole_folder(target, lambda _: None) as folder:
            (folder / "part").write_text("half")
            raise error

    expected = DgqcError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected, match="No space left" if expected is DgqcError else None):
        write()
    assert not list(tmp_path.iterdir())


def test_a_prefix_names_the_c_project(program: CompiledProgram, tmp_path: Path) -> None:
    bundle = program.save(tmp_path / "bundle", ["c"], prefix="second")
    assert (bundle / "c" / "include" / "second.h").is_file()
    assert not (bundle / "c" / "include" / "model.h").exists()
