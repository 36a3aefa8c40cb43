"""Compilers of other machines, and what a compiled object needs from outside."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

FREESTANDING = Path(__file__).parent / "freestanding"
"""A `string.h` of two functions, for machines without a libc."""


STRICT = (
    "-Wall",
    "-Wextra",
    "-Werror",
    "-pedantic",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wcast-qual",
    "-Wshadow",
    "-Wstrict-prototypes",
)
"""Of emitted programs no compiler has anything to say."""


@dataclass(frozen=True)
class Target:
    """A machine to compile for.

    compiler: its command. flags: what makes it this machine. symbols: the `nm` that reads its objects.
    hosted: whether the compiler brings a libc's headers.
    """

    name: str
    compiler: str
    flags: tuple[str, ...]
    symbols: str = "nm"
    hosted: bool = True

    def __str__(self) -> str:
        return self.name

    def need(self) -> None:
        """Skips the test where the machine's tools are missing; `.ci/run` installs them."""
        need(self.compiler, self.symbols)


def need(*commands: str) -> None:
    """Skips the test where a command is missing."""
    missing = [command for command in commands if shutil.which(command) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} can't be found; .ci/run says which packages bring them")


def need_linking(compiler: str, *flags: str) -> None:
    """Skips the test where the compiler can't link a program with these flags, such as a sanitizer's."""
    need(compiler)
    if not _links(compiler, flags):
        pytest.skip(
            f"{compiler} links nothing with {' '.join(flags)} here; .ci/run says what brings its runtime"
        )


@cache
def _links(compiler: str, flags: tuple[str, ...]) -> bool:
    command = [compiler, *flags, "-x", "c", "-", "-o", os.devnull]
    return (
        subprocess.run(
            command, input=b"int main(void){return 0;}", capture_output=True, check=False
        ).returncode
        == 0
    )


def compile_each(
    target: Target, sources: Iterable[Path], include: Sequence[Path], directory: Path, *flags: str
) -> list[Path]:
    """Objects of all sources. Raises AssertionError with what the compiler says where it refuses one."""
    headers = (*include, *(() if target.hosted else (FREESTANDING,)))
    common = [target.compiler, "-std=c99", *target.flags, *flags, *(f"-I{path}" for path in headers)]
    if not target.hosted:
        common.append("-ffreestanding")
    directory.mkdir(exist_ok=True)
    objects = []
    for source in sources:
        place = directory / f"{source.stem}.o"
        command = [*common, "-c", str(source), "-o", str(place)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
        objects.append(place)
    return objects


def undefined_symbols(target: Target, objects: Sequence[Path]) -> set[str]:
    """What a program of these objects needs from elsewhere."""

    def listed(option: str) -> set[str]:
        command = [target.symbols, option, *map(str, objects)]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        return {line.split()[-1] for line in lines if re.search(r"\b[A-Za-z] \S+$", line)}

    return listed("--undefined-only") - listed("--defined-only")
