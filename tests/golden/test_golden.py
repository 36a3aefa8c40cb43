"""The golden files themselves: none is forgotten, and differences are never swallowed."""

from __future__ import annotations

from pathlib import Path

from dgqc.backends.registry import pass_modules
from dgqc.passes.manager.registry import BUILT_IN

from .conftest import FOLDER, difference

REPORTING = {"measure-error"}
"""Passes that leave nodes and plans alone."""


def test_every_pass_has_a_golden_file() -> None:
    present = {path.name for path in FOLDER.glob("*.txt")}
    names = (*BUILT_IN, *dict(pass_modules()))
    assert {f"{name}.{when}.txt" for name in names for when in ("before", "after")} <= present


def test_every_other_pass_does_something_to_its_program() -> None:
    for path in FOLDER.glob("*.before.txt"):
        before, after = (
            [line for line in file.read_text().splitlines() if not line.startswith(("facts:", "report:"))]
            for file in (path, FOLDER / path.name.replace("before", "after"))
        )
        assert (before == after) == (path.name.removesuffix(".before.txt") in REPORTING), path.name


def test_a_difference_is_shown_and_the_file_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "some.after.txt"
    path.write_text("one\ntwo\n")
    found = difference(path, "one\nthree\n", update=False)
    assert "-two" in found
    assert "+three" in found
    assert "--update-golden" in found
    assert path.read_text() == "one\ntwo\n"


def test_an_update_shows_the_difference_too(tmp_path: Path) -> None:
    path = tmp_path / "some.after.txt"
    path.write_text("one\n")
    assert "+three" in difference(path, "three\n", update=True)
    assert path.read_text() == "three\n"
    assert difference(path, "three\n", update=False) == ""


def test_a_missing_file_is_a_difference(tmp_path: Path) -> None:
    assert "+one" in difference(tmp_path / "new.txt", "one\n", update=False)
    assert not (tmp_path / "new.txt").exists()
