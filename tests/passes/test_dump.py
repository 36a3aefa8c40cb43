"""`--dump-ir`: a numbered file for each pass, a folder for each program."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import hand_made
import pytest

from dgqc.ir.errors import DgqcError
from dgqc.ir.level import Level
from dgqc.ir.printer import format_graph
from dgqc.ir.program import Program
from dgqc.passes.base import Pass
from dgqc.passes.manager.dump import DumpIr, check_dump
from dgqc.passes.manager.manager import PassManager


@dataclass(frozen=True)
class Tell(Pass):
    """Reports something."""

    name: ClassVar[str] = "tell"
    takes: ClassVar[Level] = Level.CAPTURED
    leaves: ClassVar[Level] = Level.CAPTURED

    def run(self, program: Program) -> Program:
        return program.with_report(self.name, {"said": 1})


@dataclass(frozen=True)
class Leave(Tell):
    """Goes on to the next level."""

    name: ClassVar[str] = "leave"
    leaves: ClassVar[Level] = Level.PLANNED


def test_each_graph_has_a_number(tmp_path: Path) -> None:
    dump, program = DumpIr(tmp_path), hand_made.captured()
    PassManager([Tell(), Tell()], [dump]).run(program)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["000-start.txt", "001-tell.txt", "002-tell.txt", "report.json"]
    assert (tmp_path / "002-tell.txt").read_text() == format_graph(program) + "\n"
    assert json.loads((tmp_path / "report.json").read_text()) == {"tell": {"said": 1}}


def test_another_program_has_a_folder_of_its_own(tmp_path: Path) -> None:
    dump, program = DumpIr(tmp_path), hand_made.captured()
    PassManager([Tell(), Tell()], [dump]).run(program)
    (given,) = program.inputs
    PassManager([Tell()], [dump], verify_each=False).run(
        replace(program, inputs=(replace(given, name="ids"),))
    )
    assert (tmp_path / "part-2" / "001-tell.txt").is_file()
    assert not (tmp_path / "part-2" / "002-tell.txt").exists()


def test_one_that_is_compiled_again_takes_the_place_of_the_first(tmp_path: Path) -> None:
    dump = DumpIr(tmp_path)
    PassManager([Tell(), Tell(), Leave()], [dump], verify_each=False).run(hand_made.captured())
    assert (tmp_path / "003-leave.txt").is_file()
    PassManager([Tell()], [dump], verify_each=False).run(hand_made.captured())
    assert {path.name for path in tmp_path.glob("*.txt")} == {"000-start.txt", "001-tell.txt"}


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "000-start.txt").write_text("")
    check_dump(tmp_path)
    check_dump(tmp_path / "new")
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(DgqcError, match=r"holds thesis\.tex, which is no dump"):
        check_dump(tmp_path)
    with pytest.raises(DgqcError, match="is a file; give a folder"):
        check_dump(tmp_path / "thesis.tex")
