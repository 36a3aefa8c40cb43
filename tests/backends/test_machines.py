"""Emitted programs on other machines, emulated: the vectors that the reference computed, on every path."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from toolchains import FREESTANDING, Target, compile_each, need

BOARD = Path(__file__).parent.parent.parent / "examples" / "microcontroller" / "board"

AARCH64, RISCV64, ARM = "aarch64-linux-gnu-gcc", "riscv64-linux-gnu-gcc", "arm-none-eabi-gcc"
LINUX = {
    "aarch64": (Target("aarch64", AARCH64, ("-march=armv8-a",)), "qemu-aarch64"),
    "aarch64 dotprod": (Target("aarch64 dotprod", AARCH64, ("-march=armv8.2-a+dotprod",)), "qemu-aarch64"),
    "aarch64 portable": (Target("aarch64 portable", AARCH64, ("-DDGQC_PORTABLE",)), "qemu-aarch64"),
    "riscv64": (Target("riscv64", RISCV64, ()), "qemu-riscv64"),
}
"""Compilers with the emulator of their programs."""


def cortex(name: str, *flags: str) -> Target:
    return Target(name, ARM, ("-mthumb", f"-mcpu={name}", *flags), hosted=False)


BOARDS = {
    "mps2-an385": (cortex("cortex-m3", "-mfloat-abi=soft"), "mps2.ld"),
    "mps2-an386": (cortex("cortex-m4", "-mfloat-abi=soft"), "mps2.ld"),
    "mps3-an547": (cortex("cortex-m55", "-mfloat-abi=hard"), "mps3.ld"),
}
"""Compilers by the name of qemu's machine, with its linker script."""


def sources(emitted: Path) -> list[Path]:
    return [*sorted((emitted / "src").glob("*.c")), emitted / "main.c", emitted / "vectors.c"]


def headers(emitted: Path) -> list[Path]:
    return [emitted / "include", emitted / "src", emitted]


def agrees(command: list[str]) -> None:
    """Runs a test program, which compares its vectors and its drawing by itself."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("1 drawing, 0 elements wrong\n")


@pytest.mark.parametrize("name", LINUX)
@pytest.mark.parametrize("level", ["-O1", "-O3"])
def test_under_linux(emitted: Path, tmp_path: Path, name: str, level: str) -> None:
    target, emulator = LINUX[name]
    need(target.compiler, emulator)
    objects = compile_each(target, sources(emitted), headers(emitted), tmp_path, level)
    program = str(tmp_path / "program")
    subprocess.run([target.compiler, "-static", *map(str, objects), "-o", program], check=True)
    agrees([emulator, program])


@pytest.mark.parametrize("machine", BOARDS)
@pytest.mark.parametrize("level", ["-Os", "-O3"])
def test_on_boards_without_libc(emitted: Path, tmp_path: Path, machine: str, level: str) -> None:
    target, script = BOARDS[machine]
    need(target.compiler, "qemu-system-arm")
    support = [
        BOARD / f"{name}.c" for name in ("startup", "memory", "console_semihosting", "counter_systick")
    ]
    flags = (level, "-ffunction-sections", "-fdata-sections")
    objects = compile_each(
        target,
        [*sources(emitted), *support, FREESTANDING / "printf.c"],
        [*headers(emitted), BOARD],
        tmp_path,
        *flags,
    )
    program = str(tmp_path / "program")
    link = [
        target.compiler,
        *target.flags,
        "-nostdlib",
        "-Wl,--gc-sections",
        f"-L{BOARD}",
        "-T",
        script,
    ]
    subprocess.run([*link, *map(str, objects), "-lgcc", "-o", program], check=True)
    console = "-chardev stdio,id=console -semihosting-config enable=on,target=native,chardev=console"
    emulator = f"qemu-system-arm -nographic -monitor none -serial null {console} -machine {machine}"
    agrees([*emulator.split(), "-kernel", program])
