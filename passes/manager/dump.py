"""Every graph between passes as a numbered file (`--dump-ir`)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.printer import format_graph
from ...ir.program import Program
from ...ir.storage.whole import write_text
from ..base import Pass

REPORT = "report.json"
START = "start"
FILE = re.compile(r"(\d{3,})-([\w.-]+)\.txt")
"""What a file is called: its number, the pass that left the graph."""
OWN = re.compile(rf"{FILE.pattern}|report\.json|view\.html|part-\d+")
"""What may stand in a folder that is written to."""
ProgramKey = tuple[object, ...]


@dataclass
class Dumped:
    """One program's files so far. count: of them. level: that the last pass left."""

    folder: Path
    count: int
    level: Level

    def write(self, name: str, program: Program) -> None:
        """One more."""
        write_text(self.folder / f"{self.count:03d}-{name}.txt", format_graph(program) + "\n")
        write_text(self.folder / REPORT, json.dumps(dict(program.report), default=str) + "\n")
        self.count, self.level = self.count + 1, program.level


@dataclass
class DumpIr:
    """An instrument: writes the graph that a pipeline begins with, the one that each pass leaves, and what
    passes reported so far.

    folder: of the first program. Another one of the same compile, a text encoder for instance, has a folder
    of its own in it: `part-2`, `part-3`. One that is compiled again takes the place of its earlier files.
    """

    folder: Path
    programs: dict[ProgramKey, Dumped] = field(default_factory=dict)

    def before(self, item: Pass, program: Program) -> None:
        """Where a program begins."""
        key, again = _key(program), program.level is Level.CAPTURED
        known = self.programs.get(key)
        if known is not None and not (again and known.level is not Level.CAPTURED):
            return
        number = len(self.programs) + 1
        place = known.folder if known else self.folder if number == 1 else self.folder / f"part-{number}"
        for old in dumped_files(place):
            old.unlink()
        self.programs[key] = Dumped(place, 0, program.level)
        self.programs[key].write(START, program)

    def after(self, item: Pass, program: Program, seconds: float) -> None:
        """Writes what the pass left."""
        self.programs[_key(program)].write(item.name, program)


def dumped_files(folder: Path) -> list[Path]:
    """In the order of the passes; none where there is no such folder."""
    return sorted(path for path in folder.glob("*.txt") if FILE.fullmatch(path.name))


def check_dump(folder: Path) -> None:
    """Raises DgqcError for a folder that holds something else."""
    if folder.exists() and not folder.is_dir():
        raise DgqcError(f"--dump-ir={folder} is a file; give a folder.")
    others = sorted(path.name for path in folder.glob("*") if not OWN.fullmatch(path.name))
    if others:
        raise DgqcError(f"--dump-ir={folder} holds {others[0]}, which is no dump; give another folder.")


def _key(program: Program) -> ProgramKey:
    """What tells the programs of one compile apart, whatever passes do to them."""
    output = next(node for node in program.graph.graph.nodes if node.op == "output").args[0]
    value = getattr(output, "meta", {}).get("val")
    first = program.inputs[0]
    return first.name, first.shape, tuple(map(int, value.shape)) if value is not None else ()
