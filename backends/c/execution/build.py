"""Emitted C, compiled by the system's compiler into a shared library, once."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from ....ir.errors import DgqcError
from ....ir.reading import reading
from ....ir.storage.leftovers import temporary_folder
from ....ir.storage.whole import whole_file, write_text
from ..emission.project import INTERFACE, Signature
from .processors import instruction_sets

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=c99", "-O3", "-march=native", "-mtune=generic", "-fPIC")
"""Tuned for one machine, gcc keeps pointers in vector registers, and products lose up to a tenth."""
DATA_FLAGS = ("-std=c99", "-O0", "-fPIC")
"""ConstantBlock have nothing to optimize."""
PROCESSES = 2
DIGITS = 16
"""Of the hash that a library's folder is called by."""
KEPT_DAYS = 30
"""How long a library stays in the cache after it was last used."""


def find_compiler(compiler: str | None = None) -> str:
    """Path of a C compiler: the one asked for, `$CC`, or the first of cc, gcc, clang that is there."""
    wanted = [compiler] if compiler else [os.environ.get("CC", ""), *COMPILERS]
    found = next((path for name in wanted if name and (path := shutil.which(name))), None)
    if found is None:
        raise DgqcError(
            f"No C compiler: {compiler or 'cc, gcc and clang'} can't be found; install one, or set CC."
        )
    return found


@lru_cache(maxsize=8)
def thread_flags(command: str) -> tuple[str, ...]:
    """What makes a compiler build for several threads; nothing where it can't."""
    source = b"#include <omp.h>\nint threads(void) { return omp_get_max_threads(); }\n"
    with TemporaryDirectory() as folder:
        tried = [
            command,
            "-fopenmp",
            "-fPIC",
            "-shared",
            "-x",
            "c",
            "-",
            "-o",
            str(Path(folder) / "tried.so"),
        ]
        done = subprocess.run(tried, input=source, capture_output=True, check=False)
    return () if done.returncode else ("-fopenmp",)


def cache_folder() -> Path:
    """Where libraries are kept: `$XDG_CACHE_HOME/dgqc`, or `~/.cache/dgqc`."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "dgqc"


def build(directory: Path, *, compiler: str | None = None) -> Path:
    """Compiles an emitted folder into a shared library in the user's cache, and gives its path.

    Nothing is written into the folder. Built anew only when a source, the compiler or a flag has changed.
    Raises DgqcError when there is no compiler, with the compiler's first error line when it fails, and when
    the cache can't be written to.
    """
    signature = read_signature(directory)
    command = find_compiler(compiler)
    threads = thread_flags(command)
    cache = cache_folder()
    library = cache / _digest(directory, command, threads) / f"lib{signature.name}.so"
    try:
        if _as_built(library):
            os.utime(library)
            return library
        library.parent.mkdir(parents=True, exist_ok=True)
        _forget(cache)
        # It takes its place when whole: another process may be building the same.
        with temporary_folder("build") as place, whole_file(library) as unfinished:
            made = _compile(directory.resolve(), signature, command, threads, place)
            shutil.copyfile(made, unfinished)
            built = _file_hash(made)
        write_text(_hash_of(library), built)
    except OSError as error:
        raise DgqcError(
            f"The C program can't be built in {cache} ({error.strerror or error}); set XDG_CACHE_HOME to a "
            "folder that can be written to."
        ) from error
    return library


def _compile(
    directory: Path, signature: Signature, command: str, threads: tuple[str, ...], place: Path
) -> Path:
    """The shared library, in `place`."""

    def compiled(name: str) -> str:
        flags = DATA_FLAGS if name == f"{signature.name}_weights" else (*FLAGS, *threads)
        made = str(place / f"{name}.o")
        _run([command, *flags, "-Iinclude", "-Isrc", "-c", f"src/{name}.c", "-o", made], directory)
        return made

    with ThreadPoolExecutor(PROCESSES) as pool:
        objects = list(pool.map(compiled, signature.sources))
    library = place / f"lib{signature.name}.so"
    _run([command, "-shared", *threads, *objects, "-o", str(library)], directory)
    return library


def _as_built(library: Path) -> bool:
    """Whether a library is there, and is what was built: a damaged one would end the process."""
    try:
        return _hash_of(library).read_text(encoding="ascii") == _file_hash(library)
    except (OSError, ValueError):
        return False


def _hash_of(library: Path) -> Path:
    """Where the hash of a library is kept."""
    return library.with_suffix(".sha256")


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _forget(cache: Path) -> None:
    """Removes libraries that nobody has used for long, and what is left of builds that were killed."""
    oldest = time.time() - KEPT_DAYS * 24 * 60 * 60
    for folder in cache.glob("?" * DIGITS):
        if max(path.lstat().st_mtime for path in (folder, *folder.iterdir())) < oldest:
            shutil.rmtree(folder, ignore_errors=True)


def _digest(directory: Path, command: str, threads: tuple[str, ...]) -> str:
    seen = hashlib.sha256()
    version = subprocess.run([command, "--version"], capture_output=True, text=True, check=False).stdout
    seen.update(" ".join((command, version, *FLAGS, *threads)).encode())
    seen.update(instruction_sets(command, FLAGS).encode())
    for path in sorted([*(directory / "src").iterdir(), *(directory / "include").iterdir()]):
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
