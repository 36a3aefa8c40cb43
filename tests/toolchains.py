"""Compilers of other machines, and what a compiled object needs from outside."""

from __future__ import annotations

import hashlib
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
BUILT = Path(__file__).parent.parent / "build" / "tests-objects"


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
FUNCTIONS = ("-ffunction-sections", "-fdata-sections")
"""A linker can leave out what a board's program doesn't call."""

PLAIN_MAKE = ("CFLAGS=-O0", "ARCH=", "OPENMP=0")
"""How projects are made where what they say is looked at: all alike, so that one compiles for all."""
PLAIN = ("-Wall", "-Wextra", "-Werror", "-pedantic", "-O0")
"""The flags that their Makefiles compile with then."""


@dataclass(frozen=True)
class Target:
    """A machine to compile for.

    compiler: its command. flags: what makes it this machine. hosted: whether the compiler brings a libc's
    headers.
    """

    name: str
    compiler: str
    flags: tuple[str, ...]
    hosted: bool = True

    def __str__(self) -> str:
        return self.name

    def need(self) -> None:
        """Skips the test where the machine's tools are missing; `.ci/run` installs them."""
        need(self.compiler, self.tool("nm"))

    def tool(self, name: str) -> str:
        """A tool that comes with the compiler, such as `nm`."""
        prefix, found, _ = self.compiler.rpartition("gcc")
        return prefix + name if found else name


AARCH64, RISCV64, ARM = "aarch64-linux-gnu-gcc", "riscv64-linux-gnu-gcc", "arm-none-eabi-gcc"
PORTABLE, INTEGER = "-DDGQC_PORTABLE", "-mgeneral-regs-only"

NATIVE = {
    "gcc, portable": Target("gcc, portable", "gcc", (PORTABLE, INTEGER)),
    "clang, portable": Target("clang, portable", "clang", (PORTABLE,)),
    "gcc, avx2": Target("gcc, avx2", "gcc", ("-march=haswell",)),
    "clang, avx2": Target("clang, avx2", "clang", ("-march=haswell",)),
    "gcc, avx512-vnni": Target("gcc, avx512-vnni", "gcc", ("-march=icelake-server",)),
    "clang, avx512-vnni": Target("clang, avx512-vnni", "clang", ("-march=icelake-server",)),
}
"""This machine's compilers."""
LINUX = {
    "aarch64": Target("aarch64", AARCH64, ("-march=armv8-a",)),
    "aarch64 dotprod": Target("aarch64 dotprod", AARCH64, ("-march=armv8.2-a+dotprod",)),
    "aarch64 i8mm": Target("aarch64 i8mm", AARCH64, ("-march=armv8.2-a+i8mm",)),
    "aarch64 portable": Target("aarch64 portable", AARCH64, ("-march=armv8-a", PORTABLE, INTEGER)),
    "riscv64": Target("riscv64", RISCV64, ()),
}
"""Machines whose programs an emulator runs."""
BOARDS = {
    "mps2-an385": Target("cortex-m3", ARM, ("-mthumb", "-mcpu=cortex-m3", "-mfloat-abi=soft"), hosted=False),
    "mps2-an386": Target("cortex-m4", ARM, ("-mthumb", "-mcpu=cortex-m4", "-mfloat-abi=soft"), hosted=False),
    "mps3-an547": Target(
        "cortex-m55", ARM, ("-mthumb", "-mcpu=cortex-m55", "-mfloat-abi=hard"), hosted=False
    ),
}
"""Boards by the name of qemu's machine."""


def optimized(target: Target) -> tuple[str, ...]:
    """How tests compile a whole program for it, all in one way, so that one may take what another has made.

    Clang says all that it has to say before it optimizes.
    """
    level = "-O0" if target.compiler == "clang" else "-O3"
    return (level, *(FUNCTIONS if target in BOARDS.values() else ()), *STRICT)


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
    """Objects of all sources; what another test has compiled in the same way isn't compiled again.

    Raises AssertionError with what the compiler says where it refuses one.
    """
    headers = (*include, *(() if target.hosted else (FREESTANDING,)))
    common = [target.compiler, "-std=c99", *target.flags, *flags]
    if not target.hosted:
        common.append("-ffreestanding")
    seen = hashlib.sha256(repr((common, _release(target.compiler))).encode())
    for path in sorted((one for folder in headers for one in folder.glob("*.h")), key=lambda one: one.name):
        seen.update(path.name.encode() + path.read_bytes())
    common += [f"-I{path}" for path in headers]
    directory.mkdir(exist_ok=True)
    BUILT.mkdir(parents=True, exist_ok=True)
    objects = []
    for source in sources:
        place = directory / f"{source.stem}.o"
        kept = seen.copy()
        kept.update(source.read_bytes())
        before = BUILT / f"{kept.hexdigest()[:16]}.o"
        if not before.exists():
            command = [*common, "-c", str(source), "-o", str(place)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
            unfinished = before.with_suffix(f".{os.getpid()}")
            shutil.copyfile(place, unfinished)
            unfinished.rename(before)
        shutil.copyfile(before, place)
        objects.append(place)
    return objects


@cache
def _release(compiler: str) -> str:
    return subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout


def undefined_symbols(target: Target, objects: Sequence[Path]) -> set[str]:
    """What a program of these objects needs from elsewhere."""

    def listed(option: str) -> set[str]:
        command = [target.tool("nm"), option, *map(str, objects)]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        return {line.split()[-1] for line in lines if re.search(r"\b[A-Za-z] \S+$", line)}

    return listed("--undefined-only") - listed("--defined-only")
