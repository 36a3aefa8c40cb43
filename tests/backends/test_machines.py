"""Emitted programs on other machines, emulated: the vectors that the reference computed, on every path.

Compilers have nothing to say, as in `test_sanitizers`.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from toolchains import AARCH64, BOARDS, FREESTANDING, FUNCTIONS, LINUX, RISCV64, STRICT, compile_each, need

from dgqc.backends import reference
from dgqc.backends.c import Vector, emit
from dgqc.backends.c.emission.project import RUNTIME
from dgqc.backends.c.kernels.winograd import takes_tiles

from .kernels import planned
from .test_winograd import convolution

BOARD = Path(__file__).parent.parent.parent / "examples" / "microcontroller" / "board"

TILES = [Path(__file__).parent / "tiles.c", RUNTIME / "dgqc_tile.c", RUNTIME / "dgqc_requantize.c"]
PAIRS = [Path(__file__).parent / "two_columns.c"]
PAIRS += [RUNTIME / f"dgqc_{name}.c" for name in ("product_two_columns", "two_columns", "unpack")]
LIKE_OTHERS = ("aarch64", "aarch64 dotprod", "aarch64 portable", "mps2-an385")
"""Machines whose programs are other machines', but for the tiles, which are tried on all of them: NEON is in
i8mm's, portable C in RISC-V's, and a Cortex-M3 runs a Cortex-M4's without its tiles."""
LEVELS = pytest.mark.parametrize("level", [pytest.param("-O1", marks=pytest.mark.slow), "-O3"])
SMALL_LEVELS = pytest.mark.parametrize("level", [pytest.param("-Os", marks=pytest.mark.slow), "-O3"])


EMULATORS = {RISCV64: "qemu-riscv64", AARCH64: "qemu-aarch64 -cpu max"}
SCRIPTS = {"mps2-an385": "mps2.ld", "mps2-an386": "mps2.ld", "mps3-an547": "mps3.ld"}
"""Of the linker."""


def sources(emitted: Path) -> list[Path]:
    return [*sorted((emitted / "src").glob("*.c")), emitted / "main.c", emitted / "vectors.c"]


def headers(emitted: Path) -> list[Path]:
    return [emitted / "include", emitted / "src", emitted]


def run_under_linux(name: str, source: list[Path], include: list[Path], directory: Path, level: str) -> str:
    """What a program prints that ends well."""
    target = LINUX[name]
    emulator = EMULATORS[target.compiler]
    need(target.compiler, emulator.split()[0])
    objects = compile_each(target, source, include, directory, level, *STRICT)
    program = str(directory / "program")
    subprocess.run([target.compiler, "-static", *map(str, objects), "-o", program], check=True)
    return printed([*emulator.split(), program])


def run_on_board(machine: str, source: list[Path], include: list[Path], directory: Path, level: str) -> str:
    """The same on a board without libc."""
    target = BOARDS[machine]
    need(target.compiler, "qemu-system-arm")
    names = ("startup", "memory", "console_semihosting", "counter_systick")
    support = [*(BOARD / f"{name}.c" for name in names), FREESTANDING / "printf.c"]
    flags = (level, *FUNCTIONS)
    objects = compile_each(target, source, include, directory, *flags, *STRICT)
    objects += compile_each(target, support, [*include, BOARD], directory, *flags)
    program = str(directory / "program")
    link = [*target.flags, "-nostdlib", "-Wl,--gc-sections", f"-L{BOARD}", "-T", SCRIPTS[machine]]
    subprocess.run([target.compiler, *link, *map(str, objects), "-lgcc", "-o", program], check=True)
    console = "-chardev stdio,id=console -semihosting-config enable=on,target=native,chardev=console"
    emulator = f"qemu-system-arm -nographic -monitor none -serial null {console} -machine {machine}"
    return printed([*emulator.split(), "-kernel", program])


def printed(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def some(machines: Iterable[str]) -> list[Any]:
    """All of them as parameters, of which those that are like others run with the slow tests."""
    return [pytest.param(name, marks=pytest.mark.slow) if name in LIKE_OTHERS else name for name in machines]


# A test program compares its vectors and its drawing by itself.


@pytest.mark.parametrize("name", some(LINUX))
@LEVELS
def test_under_linux(emitted: Path, tmp_path: Path, name: str, level: str) -> None:
    text = run_under_linux(name, sources(emitted), headers(emitted), tmp_path, level)
    assert text.endswith("1 drawing, 0 elements wrong\n")


@pytest.mark.parametrize("machine", some(BOARDS))
@SMALL_LEVELS
def test_on_boards_without_libc(emitted: Path, tmp_path: Path, machine: str, level: str) -> None:
    text = run_on_board(machine, sources(emitted), headers(emitted), tmp_path, level)
    assert text.endswith("1 drawing, 0 elements wrong\n")


@pytest.mark.parametrize("name", some(LINUX))
def test_tiles_of_winograd(tmp_path: Path, name: str) -> None:
    """Which programs of few channels don't have."""
    program, node, graph = convolution(image=(1, 8, 12, 130), columns=150)
    assert takes_tiles(node)
    inputs = {"x": graph.values(1, 8, 12, 130)}
    vectors = [Vector(step, inputs, reference.run(program, inputs, step)) for step in range(graph.steps)]
    emit(planned(program), tmp_path / "model", name="model", vectors=vectors)
    emitted = tmp_path / "model"
    text = run_under_linux(name, sources(emitted), headers(emitted), tmp_path, "-O1")
    assert text.endswith(" 0 elements wrong\n")


# Tiles by themselves: more shapes, runs and ratios than a program has.


@pytest.mark.parametrize("name", LINUX)
@LEVELS
def test_tiles_under_linux(tmp_path: Path, name: str, level: str) -> None:
    assert run_under_linux(name, TILES, [RUNTIME], tmp_path, level) == "tiles: 400 cases, 0 totals wrong\n"


@pytest.mark.parametrize("machine", BOARDS)
@SMALL_LEVELS
def test_tiles_on_boards(tmp_path: Path, machine: str, level: str) -> None:
    assert run_on_board(machine, TILES, [RUNTIME], tmp_path, level) == "tiles: 400 cases, 0 totals wrong\n"


# Products of machines without vectors to look bytes up in.


@pytest.mark.parametrize("name", ["riscv64", pytest.param("aarch64 portable", marks=pytest.mark.slow)])
@LEVELS
def test_two_columns_under_linux(tmp_path: Path, name: str, level: str) -> None:
    text = run_under_linux(name, PAIRS, [RUNTIME], tmp_path, level)
    assert text == "two columns: 150 cases, 0 results wrong\n"


@pytest.mark.parametrize("machine", BOARDS)
@SMALL_LEVELS
def test_two_columns_on_boards(tmp_path: Path, machine: str, level: str) -> None:
    text = run_on_board(machine, PAIRS, [RUNTIME], tmp_path, level)
    assert text == "two columns: 150 cases, 0 results wrong\n"
