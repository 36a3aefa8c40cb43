"""A change that means to change no bit leaves these records alone; one that changes bits says so, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .programs import PROGRAMS
from .record import PRINTER, Record, differences, record_of

HERE = Path(__file__).parent
TEXTS = HERE.parents[1] / "build" / "replay"
"""Where emitted texts stay, to be compared with those of another checkout."""
RECORD: Record = {
    "results": "1",
    "constants": "2",
    "c": {"src/model.c": "3", "include/model.h": "4"},
    "mlir": {"model.mlir": "5", PRINTER: "2026"},
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_program_is_the_one_on_record(name: str, request: pytest.FixtureRequest) -> None:
    path = HERE / f"{name}.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    after = record_of(PROGRAMS[name](), TEXTS / name)
    found = differences(before, after)
    if found and request.config.getoption("--update-golden"):
        # Without torch-mlir the recorded MLIR stays, for who has it to look at.
        path.write_text(json.dumps({**before, **after}, indent=2) + "\n")
        found += f" {path.name} is rewritten: commit it with the reason."
    if found:
        pytest.fail(f"{name}: {found} Compare {TEXTS / name} with that of another checkout.", pytrace=False)
    if "mlir" in before and before["mlir"][PRINTER] != after.get("mlir", {}).get(PRINTER):
        pytest.skip(f"results and C are as recorded; MLIR was printed by {PRINTER} {before['mlir'][PRINTER]}")


def test_every_record_has_its_program() -> None:
    assert {path.stem for path in HERE.glob("*.json")} == set(PROGRAMS)


def test_other_bits_are_told_from_other_names() -> None:
    renamed = {**RECORD, "c": {**RECORD["c"], "src/model.c": "other"}}
    assert differences(RECORD, RECORD) == ""
    assert differences(RECORD, renamed).startswith("Text changed, results are the same")
    assert "c/src/model.c" in differences(RECORD, renamed)
    assert "model.h" not in differences(RECORD, renamed)
    assert differences(RECORD, {**renamed, "constants": "other"}).startswith("Constants changed")
    assert differences(RECORD, {**renamed, "results": "other"}).startswith("RESULTS CHANGED")


def test_a_program_without_a_record_is_a_change() -> None:
    assert differences({}, RECORD).startswith("RESULTS CHANGED")


def test_texts_of_another_printer_say_nothing() -> None:
    assert differences(RECORD, {**RECORD, "mlir": {"model.mlir": "other", PRINTER: "2027"}}) == ""
    assert differences(RECORD, {key: value for key, value in RECORD.items() if key != "mlir"}) == ""
    assert differences(RECORD, {**RECORD, "mlir": {"model.mlir": "other", PRINTER: "2026"}}) != ""
