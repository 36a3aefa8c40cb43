"""One library with a path for each kind of processor: the best that there is, and the same bits."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import pytest
from toolchains import need

from dgqc.backends import reference
from dgqc.backends.c import Storage, Vector, emit

from .kernels import planned
from .unet_like import inputs_of, unet_like, with_ddim

CALLER = '#include <stdio.h>\n#include "model.h"\nint main(void) { puts(model_path()); return 0; }\n'
NEEDS = {
    "portable": (),
    "avx2": ("avx2",),
    "avxvnni": ("avx2", "avx_vnni"),
    "avx512": ("avx512bw", "avx512dq", "avx512vl", "avx512_vnni"),
    "avx512vbmi": ("avx512_vnni", "avx512vbmi", "gfni"),
    "amx": ("avx512_vnni", "avx512vbmi", "gfni", "amx_tile", "amx_int8"),
}
"""The paths of x86-64 with what Linux calls their instructions, from the least on."""
PROCESSORS = {"cortex-a53": "portable", "cortex-a76": "dotprod", "max": "i8mm"}
"""Of Arm, as qemu has them, with the path that each takes."""
on_x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="paths of x86-64 are run on one")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("paths")
    program = with_ddim(planned(unet_like(3)))
    inputs = inputs_of(program, 7)
    emit(
        program, place, vectors=[Vector(1, inputs, reference.run(program, inputs, 1))], storage=Storage.ARRAY
    )
    (place / "caller.c").write_text(CALLER)
    return place


def built(folder: Path, compiler: str, flags: str) -> None:
    """The test program, and one that says which path it takes."""
    for command in (
        ["make", "-j2", f"CC={compiler}", f"CFLAGS={flags}", "OPENMP=0"],
        [compiler, *flags.split(), "-Iinclude", "caller.c", "build/libmodel.a", "-o", "caller"],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def says(command: list[str | Path], **environment: str) -> str:
    given = {**os.environ, **environment}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=given).stdout.strip()


def planned_commands(folder: Path, *arguments: str) -> str:
    """What make would do."""
    command = ["make", "-n", "OPENMP=0", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@on_x86
def test_every_kernel_is_built_for_every_path(folder: Path) -> None:
    text = planned_commands(folder, "CC=gcc")
    for path in list(NEEDS)[1:]:
        for kernel in ("dgqc_tile", "dgqc_matmul", "model"):
            assert f"-DDGQC_PATH={path} -c -o build/{path}-{kernel}.o src/{kernel}.c" in text
    assert "-mamx-int8" in text
    assert "-DDGQC_HAS_amx" in text


def test_arch_builds_for_one_processor(folder: Path) -> None:
    for arch in ("", "-march=native"):
        text = planned_commands(folder, f"ARCH={arch}")
        assert "DGQC_PATH" not in text
        assert "paths.c" not in text


@on_x86
def test_paths_that_a_compiler_has_no_flags_for_are_left_out(folder: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_text('#!/bin/sh\ncase "$*" in *amx*|*vnni*) exit 1;; esac\nexec gcc "$@"\n')
    old.chmod(0o755)
    text = planned_commands(folder, f"CC={old}")
    assert "-DDGQC_HAS_avx2" in text
    assert "DGQC_HAS_amx" not in text
    assert "build/amx-model.o" not in text


@on_x86
@pytest.mark.slow
def test_every_path_of_this_machine_gives_the_same_bits(folder: Path) -> None:
    """As many as it has; each asked for by name takes itself or the best below it."""
    subprocess.run(["make", "clean"], cwd=folder, check=True, capture_output=True)
    built(folder, "gcc", "-O1")
    flags = Path("/proc/cpuinfo").read_text().split()
    best = "portable"
    for path, needs in NEEDS.items():
        best = path if all(one in flags for one in needs) else best
        assert says([folder / "caller"], DGQC_PROCESSOR=path) == best
        assert says([folder / "model_test"], DGQC_PROCESSOR=path).endswith("0 elements wrong")
    assert says([folder / "caller"]) == best


@pytest.mark.slow
def test_every_path_of_arm_gives_the_same_bits(folder: Path) -> None:
    need("aarch64-linux-gnu-gcc", "qemu-aarch64")
    subprocess.run(["make", "clean"], cwd=folder, check=True, capture_output=True)
    built(folder, "aarch64-linux-gnu-gcc", "-O1 -static")
    for processor, path in PROCESSORS.items():
        emulator: list[str | Path] = ["qemu-aarch64", "-cpu", processor]
        assert says([*emulator, folder / "caller"]) == path
        assert says([*emulator, folder / "model_test"]).endswith("0 elements wrong")
    lesser: list[str | Path] = ["qemu-aarch64", "-cpu", "max", "-E", "DGQC_PROCESSOR=dotprod"]
    assert says([*lesser, folder / "caller"]) == "dotprod"
