"""The system's C compiler, and what it builds with here."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from ....ir.errors import DgqcError
from .processors import instruction_sets

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=c99", "-O3", "-march=native", "-mtune=generic", "-fPIC")
"""Tuned for one machine, gcc keeps pointers in vector registers, and products lose up to a tenth."""


@dataclass(frozen=True)
class Toolchain:
    """A compiler. command: its path. threads: flags for several threads; none where it can't."""

    command: str
    threads: tuple[str, ...]

    def identity(self) -> str:
        """Text that differs wherever other machine code could come out."""
        asked = [self.command, "--version"]
        release = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
        words = " ".join((self.command, release, *FLAGS, *self.threads))
        return words + instruction_sets(self.command, FLAGS)


def find_toolchain(compiler: str | None = None) -> Toolchain:
    """The compiler that `find_compiler` finds. Raises DgqcError as it does."""
    command = find_compiler(compiler)
    return Toolchain(command, thread_flags(command))


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
