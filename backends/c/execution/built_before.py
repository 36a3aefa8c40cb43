"""What was built for a program before: laying out, emitting and compiling it takes seconds to minutes.

A record in the user's own cache, under a hash over all that could change the machine code: the program, how
C was asked for, this package's own code, the compiler and what the processor can do. So whatever a bundle
brings, its library is one that was built here from the same graph.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from .... import backends, ir
from ....ir.program import Program
from ....ir.storage.json_text import read_json_object
from ....ir.storage.serialize import program_hash
from ....ir.storage.whole import write_text
from ....passes.graph import edit
from ..emission.project import Signature
from ..emission.storage import weights_file
from ..kernels.registry import only_own_kernels
from .build import DIGITS, Built, cache_folder, file_hash, is_whole
from .toolchain import find_toolchain

RECORD = "built.json"
CODE = frozenset({".py", ".c", ".h", ".jinja"})


def record_of(program: Program, asked: str) -> Path | None:
    """Where it is kept what was built for a program; None where kernels of other packages run it, whose code
    nobody here knows.

    asked: the target with its options, as text.
    """
    if not only_own_kernels(program.graph.graph.nodes):
        return None
    parts = (program_hash(program), asked, own_code(), find_toolchain().identity())
    seen = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return cache_folder() / seen[:DIGITS] / RECORD


def built_before(record: Path, project: Path | None) -> Built | None:
    """What a record says, where all of it is still there and whole.

    project: a folder that may hold the constants of a program that maps or reads them from a file.
    """
    with suppress(Exception):  # Whatever is wrong with a cache, it is only one.
        said = read_json_object(record, "it is damaged")
        signature = Signature.from_json(json.dumps(said["signature"]))
        library = record.parents[1] / str(said["library"])
        weights = None
        if signature.storage.apart:
            weights = project / weights_file(signature.name) if project else None
            if weights is None or file_hash(weights) != said["weights"]:
                return None
        if is_whole(library):
            os.utime(record)
            os.utime(library)
            return Built(signature, library, weights, bool(said["threads"]))
    return None


def remember(record: Path, built: Built) -> None:
    """Keeps what was built. A cache that can't be written to is none: nothing is kept."""
    said = {
        "library": built.library.relative_to(record.parents[1]).as_posix(),
        "signature": json.loads(built.signature.to_json()),
        "weights": None if built.weights is None else file_hash(built.weights),
        "threads": built.threads,
    }
    with suppress(Exception):
        write_text(record, json.dumps(said))


@lru_cache(maxsize=1)
def own_code() -> str:
    """A hash over dgqc's code: a version may be edited in place."""
    seen = hashlib.sha256()
    for path in _sources():
        seen.update(path.name.encode())
        seen.update(path.read_bytes())
    return seen.hexdigest()


def _sources() -> Iterator[Path]:
    """Python and C files of the packages that take part in emitting C."""
    passes = Path(str(edit.__file__)).parents[1]
    for folder in (*map(Path, ir.__path__), passes, *map(Path, backends.__path__)):
        yield from sorted(path for path in folder.rglob("*") if path.suffix in CODE)
