"""Emitted C, compiled by the system's compiler into a shared library, once."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ....ir.errors import DgqcError
from ....ir.reading import reading
from ....ir.storage.leftovers import temporary_folder
from ....ir.storage.whole import whole_file, write_text
from ....ir.telling import tell
from ..emission.project import INTERFACE, Signature
from ..emission.storage import Storage, weights_file
from .processors import usable_processors
from .toolchain import FLAGS, Toolchain, find_toolchain

PROGRAM_FLAGS = (*FLAGS, "-O1")
"""Of calls and constants, in which there is little to optimize."""
DIGITS = 16
"""Of the hash that a library's folder is called by."""
KEPT_DAYS = 30
"""How long a library stays in the cache after it was last used."""


@dataclass(frozen=True)
class Built:
    """A program that can be loaded.

    weights: the file that its constants are mapped or read from; None where they are in the library.
    threads: whether it was built for several.
    """

    signature: Signature
    library: Path
    weights: Path | None
    threads: bool


def cache_folder() -> Path:
    """Where libraries are kept: `$XDG_CACHE_HOME/dgqc`, or `~/.cache/dgqc`."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "dgqc"


def build(directory: Path, *, compiler: str | None = None) -> Built:
    """Compiles an emitted folder into a shared library in the user's cache.

    Nothing is written into the folder. Built anew only when a source, the compiler or a flag has changed; the
    kernels, which programs share, are compiled once for all of them.
    Raises DgqcError when there is no compiler, with the compiler's first error line when it fails, and when
    the cache can't be written to.
    """
    signature, toolchain = read_signature(directory), find_toolchain(compiler)
    name, cache, directory = signature.name, cache_folder(), directory.resolve()
    own = (name, f"{name}_loop", f"{name}_weights")
    kernels = tuple(source for source in signature.sources if source not in own)
    weights = directory / weights_file(name) if signature.storage.apart else None
    # Who reads constants while a program runs is of the host's side, beside the sources of the program.
    host = [f"../{signature.storage.host}"] if signature.storage is Storage.STREAM else []

    def linked(place: Path) -> Path:
        tell(f"Compiling and linking {name} with {toolchain.command}.")
        object_file = cache / _digest(directory, toolchain, leave=own) / "kernels.o"
        shared = _kept(object_file, lambda place: _kernels(directory, kernels, toolchain, place))
        programs = [source for source in signature.sources if source in own]
        objects = _compiled(
            directory, [*programs, *host], (*PROGRAM_FLAGS, *toolchain.threads), toolchain.command, place
        )
        library = place / f"lib{name}.so"
        command = [toolchain.command, "-shared", *toolchain.threads, *objects, str(shared)]
        _run([*command, "-o", str(library)], directory)
        return library

    try:
        library = _kept(cache / _digest(directory, toolchain) / f"lib{name}.so", linked)
    except OSError as error:
        raise DgqcError(
            f"The C program can't be built in {cache} ({error.strerror or error}); set XDG_CACHE_HOME to a "
            "folder that can be written to."
        ) from error
    return Built(signature, library, weights, bool(toolchain.threads))


def built_of_all(directory: Path, place: Path) -> Path:
    """The shared library of every source of a folder, made in `place`: for a look at it, with little
    optimization. Raises DgqcError when there is no compiler, or when it fails."""
    toolchain = find_toolchain()
    names = sorted(path.stem for path in (directory / "src").glob("*.c"))
    flags = ("-std=c99", "-O1", "-march=native", "-fPIC")
    objects = _compiled(directory.resolve(), names, flags, toolchain.command, place.resolve())
    library = place.resolve() / "liball.so"
    _run([toolchain.command, "-shared", *objects, "-o", str(library)], directory)
    return library


def _kept(file: Path, make: Callable[[Path], Path]) -> Path:
    """A file of the cache, made unless it is there and whole. make: makes it somewhere in a folder."""
    if is_whole(file):
        os.utime(file)
        return file
    file.parent.mkdir(parents=True, exist_ok=True)
    _forget(file.parents[1])
    # It takes its place when whole: another process may be building the same.
    with temporary_folder("build") as place, whole_file(file) as unfinished:
        made = make(place)
        shutil.copyfile(made, unfinished)
        content = file_hash(made)
    write_text(_hash_of(file), content)
    return file


def _kernels(directory: Path, sources: Sequence[str], toolchain: Toolchain, place: Path) -> Path:
    """All kernels as one object file, in `place`."""
    tell(
        f"Compiling {len(sources)} kernels with {toolchain.command} on {usable_processors()} processors, "
        "once for all programs on machines alike."
    )
    whole = place / "kernels.o"
    objects = _compiled(directory, sources, (*FLAGS, *toolchain.threads), toolchain.command, place)
    _run([toolchain.command, "-r", "-nostdlib", *objects, "-o", str(whole)], directory)
    return whole


def _compiled(
    directory: Path, sources: Sequence[str], flags: Sequence[str], command: str, place: Path
) -> list[str]:
    """The object files of some sources, in `place`."""

    def compiled(name: str) -> str:
        made = str(place / f"{Path(name).name}.o")
        _run([command, *flags, "-Iinclude", "-Isrc", "-c", f"src/{name}.c", "-o", made], directory)
        return made

    with ThreadPoolExecutor(usable_processors()) as pool:
        return list(pool.map(compiled, sources))


def is_whole(file: Path) -> bool:
    """Whether a built file is there, and is what was built: a damaged library would end the process."""
    try:
        return _hash_of(file).read_text(encoding="ascii") == file_hash(file)
    except (OSError, ValueError):
        return False


def _hash_of(file: Path) -> Path:
    """Where the hash of a built file is kept."""
    return file.with_suffix(".sha256")


def file_hash(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _forget(cache: Path) -> None:
    """Removes libraries that nobody has used for long, and what is left of builds that were killed."""
    oldest = time.time() - KEPT_DAYS * 24 * 60 * 60
    for folder in cache.glob("?" * DIGITS):
        if max(path.lstat().st_mtime for path in (folder, *folder.iterdir())) < oldest:
            shutil.rmtree(folder, ignore_errors=True)


def _digest(directory: Path, toolchain: Toolchain, leave: Sequence[str] = ()) -> str:
    """Of all that is compiled, but for sources of the names in `leave` and the program's own header."""
    seen = hashlib.sha256(toolchain.identity().encode())
    header = () if leave else (directory / "include").iterdir()
    host = () if leave else directory.glob("stream_weights.*")
    for path in sorted([*(directory / "src").iterdir(), *header, *host]):
        if path.stem in leave:
            continue
        seen.update(path.name.encode())
        seen.update(path.read_bytes())
    return seen.hexdigest()[:DIGITS]


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.splitlines() or ["it says nothing"]
        first = next((line for line in lines if "error" in line), lines[0])
        raise DgqcError(f"{command[0]} failed with exit code {done.returncode}: {first}")


def read_signature(directory: Path) -> Signature:
    """What `emit` wrote about the program. Raises DgqcError when the folder holds none."""
    path = directory / INTERFACE
    if not path.exists():
        raise DgqcError(
            f"{directory} holds no emitted C program ({INTERFACE} is missing); emit one there first."
        )
    with reading(str(path), "emit the program again"):
        return Signature.from_json(path.read_text(encoding="utf-8"))
