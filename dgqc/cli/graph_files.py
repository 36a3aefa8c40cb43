"""Graphs between passes, as folders and as text."""

from __future__ import annotations

from pathlib import Path

from ..backends.registry import import_layouts
from ..ir.errors import DgqcError
from ..ir.printer import format_graph
from ..ir.program import Program
from ..ir.storage.serialize import load_program, save_program
from ..ir.storage.whole import whole_folder
from .console import result


def print_or_save(program: Program, output: Path | None) -> None:
    """Prints a graph, or writes it into a new folder for `dgqc opt`."""
    if output is None:
        result(format_graph(program))
        return
    with whole_folder(output, _refuse) as folder:
        save_program(program, folder)
    result(f"Wrote {output}: a graph at the {program.level} level.")


def load_graph(folder: Path) -> Program:
    """A graph that `print_or_save` or a failing pass wrote. Raises DgqcError when it is no such folder."""
    if not folder.is_dir():
        raise DgqcError(f"{folder} is not a folder; give one that --stop-after or a failing pass wrote.")
    import_layouts()
    return load_program(folder)


def _refuse(folder: Path) -> None:
    raise DgqcError(f"{folder} exists and is not empty; choose another output folder.")
