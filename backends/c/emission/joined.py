"""Several programs as one C project: the runtime once, one arena for all, one file of constants."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....ir.errors import DgqcError
from ....ir.program import Program
from ....ir.storage.leftovers import temporary_folder
from ..layout.memory_plan import ALIGNMENT
from .drawing import draws, write_drawing
from .emit import emit
from .project import INTERFACE, Signature, common_sources, templates
from .storage import Storage, weights_file

FILES = {
    "parts.h": "include/{}.h",
    "parts.c": "src/{}.c",
    "parts_main.c": "main.c",
    "parts_Makefile": "Makefile",
    "parts_CMakeLists.txt": "CMakeLists.txt",
}
"""Templates, with where what they make goes; {} is the project's name."""


@dataclass(frozen=True)
class _Joined:
    """One program in the project. member: of the struct of all. offset: of its constants in the file."""

    member: str
    signature: Signature
    offset: int


def emit_joined(
    programs: Mapping[str, Program], directory: Path, name: str, storage: Storage = Storage.FILE
) -> None:
    """Writes programs, laid out for C, into one folder, to be made.

    programs: by what they are called in the project; C names begin with `name` and this. The first is called
    `name` itself. storage: whether the file of constants is mapped, or read while programs run.
    Raises DgqcError as `emit`, and where two programs bring different files of one name.
    """
    for place in ("include", "src"):
        (directory / place).mkdir(parents=True)
    joined: list[_Joined] = []
    offset = 0
    own = f"{name}_parts"
    with (directory / weights_file(own)).open("wb") as constants:
        for member, program in programs.items():
            prefix = f"{name}_{member}" if joined else name
            with temporary_folder("joined") as folder:
                emit(program, folder, name=prefix, storage=storage)
                signature = Signature.from_json((folder / INTERFACE).read_text(encoding="utf-8"))
                block = (folder / weights_file(prefix)).read_bytes()
                _merge(folder, directory, storage)
                shutil.copyfile(folder / "paths.c", directory / f"paths_{prefix}.c")
            constants.write(block + bytes(-len(block) % ALIGNMENT))
            joined.append(_Joined(member, signature, offset))
            offset += len(block) + -len(block) % ALIGNMENT
    drawing = draws(programs)
    if drawing:
        write_drawing(templates(), programs, directory, own, name, storage is Storage.STREAM, storage.host)
    _write(directory, own, joined, offset, drawing, storage)


def _merge(folder: Path, directory: Path, storage: Storage) -> None:
    """The files of one program beside those of others, of which some are the same."""
    host = folder.glob("stream_weights.*") if storage is Storage.STREAM else ()
    for path in [*(folder / "include").iterdir(), *(folder / "src").iterdir(), *host]:
        target = directory / path.relative_to(folder)
        if target.exists() and not filecmp.cmp(path, target, shallow=False):
            raise DgqcError(f"Two parts bring different files {path.name}; rename one of them.")
        if not target.exists():
            shutil.copyfile(path, target)


def _write(
    directory: Path, own: str, joined: list[_Joined], size: int, drawing: bool, storage: Storage
) -> None:
    """The files around the programs. drawing: whether they draw pictures of prompts."""
    found = templates()
    context: dict[str, Any] = {
        "name": own,
        "upper": own.upper(),
        "parts": joined,
        "size": size,
        "arena": max(one.signature.shared_bytes + one.signature.thread_bytes for one in joined),
        "alignment": ALIGNMENT,
        "drawing": drawing,
        "stream": storage is Storage.STREAM,
        "host": storage.host,
        "weights_file": weights_file(own),
        "sources": [*sorted(path.stem for path in (directory / "src").glob("*.c")), own],
        "common": {own, f"{own}_draw"}.union(*(common_sources(one.signature.name) for one in joined)),
    }
    mapping = (
        {}
        if storage is Storage.STREAM
        else {f"{storage.host}.{kind}": f"{storage.host}.{kind}" for kind in "ch"}
    )
    for template, place in {**FILES, **mapping}.items():
        text = found.get_template(f"{template}.jinja").render(context)
        (directory / place.format(own)).write_text(text, encoding="utf-8", newline="\n")
