"""Emitted projects as people link them: several at once, shared, at link time, installed, converted for."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dgqc.backends import reference
from dgqc.backends.c import Storage, Vector, emit
from dgqc.execution.boundary import to_floats, to_integers
from dgqc.ir.program import Program

from .kernels import planned
from .unet_like import inputs_of, unet_like

TWO = """
cmake_minimum_required(VERSION 3.10)
project(two C)
add_subdirectory(one)
add_subdirectory(two)
add_executable(both main.c)
target_link_libraries(both one two)
"""
CONSUMER = """
cmake_minimum_required(VERSION 3.10)
project(consumer C)
find_package(one REQUIRED)
add_executable(consumer main.c)
target_link_libraries(consumer one::one)
"""
BOTH = """
#include "one.h"
#include "two.h"
int main(void)
{
    static unsigned char memory[ONE_ARENA_BYTES + TWO_ARENA_BYTES + 128];
    unsigned char *arena = memory + 64 - (uintptr_t)memory % 64;
    one_program first;
    two_program second;
    return one_init(&first, &one_weights, ONE_WEIGHTS_BYTES, arena, ONE_ARENA_BYTES)
        + two_init_unread(&second, &two_weights, TWO_WEIGHTS_BYTES, arena, TWO_ARENA_BYTES)
        + (one_init(&first, &two_weights, ONE_WEIGHTS_BYTES, arena, ONE_ARENA_BYTES) != ONE_WEIGHTS_UNKNOWN);
}
"""
CONVERT = """
#include <stdio.h>
#include "one_scales.h"
int main(void)
{
    const float values[] = {0.0f, 1.0f, -1.0f, 0.3f, -0.7f, 1e30f, -1e30f, 0.0f / 1.0f};
    int16_t codes[8];
    float back[8];
    printf("%d ", (int)one_to_codes(values, 8, SCALE, codes));
    for (int i = 0; i < 8; i++) printf("%d ", codes[i]);
    one_to_values(codes, 8, SCALE, back);
    for (int i = 0; i < 8; i++) printf("%.9g ", back[i]);
    return 0;
}
"""

BY_CHANNEL = """
#include <stdio.h>
#include "one_scales.h"
int main(void)
{
    enum { CHANNELS = one_encoder_hidden_states_channels, RUN = one_encoder_hidden_states_run };
    enum { COUNT = TOKENS * CHANNELS };
    float values[COUNT];
    int16_t codes[COUNT];
    for (int i = 0; i < COUNT; i++) values[i] = (float)(i * i * 1000 - 500000);
    const double scale = one_encoder_hidden_states_scale[1], *const ratio = one_encoder_hidden_states_ratio;
    printf("%d ", (int)one_to_codes_by_channel(values, COUNT, scale, ratio, CHANNELS, RUN, codes));
    for (int i = 0; i < COUNT; i++) printf("%d ", codes[i]);
    return 0;
}
"""

cmake = pytest.mark.skipif(shutil.which("cmake") is None, reason="there is no CMake")


@pytest.fixture(scope="module")
def program() -> Program:
    made = planned(unet_like(5, size=9))
    scale = 0.37 / torch.arange(1, len(made.schedule) + 1, dtype=torch.float64)
    sample, context = (replace(one, scale=scale) for one in made.inputs)
    unlike = replace(context, exponent=torch.arange(context.shape[-1]).reshape(1, 1, -1) * 7)
    return replace(made, inputs=(sample, unlike), output_scale=scale)


@pytest.fixture
def project(program: Program, tmp_path: Path) -> Path:
    """Constants in an object, as they are from a megabyte on."""
    return emitted(program, tmp_path / "one", "one")


def emitted(program: Program, place: Path, name: str) -> Path:
    inputs = inputs_of(program)
    vector = Vector(0, inputs, reference.run(program, inputs, 0))
    emit(program, place, name=name, vectors=[vector], storage=Storage.OBJECT)
    return place


def done(command: str, folder: Path) -> str:
    ran = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@cmake
def test_two_programs_in_one_project(program: Program, project: Path, tmp_path: Path) -> None:
    other = planned(unet_like(6, size=9))
    emitted(other, tmp_path / "two", "two")
    (tmp_path / "CMakeLists.txt").write_text(TWO)
    (tmp_path / "main.c").write_text(BOTH)
    done("cmake -S . -B built && cmake --build built -j2 && built/both", tmp_path)


@cmake
def test_a_shared_library_and_one_that_is_installed(project: Path, tmp_path: Path) -> None:
    done("cmake -S . -B b -DBUILD_SHARED_LIBS=ON && cmake --build b -j2 && b/one_test", project)
    done(f"cmake --install b --prefix {tmp_path}/root", project)
    user = tmp_path / "user"
    user.mkdir()
    (user / "CMakeLists.txt").write_text(CONSUMER)
    (user / "main.c").write_text('#include "one_scales.h"\nint main(void) { return ONE_STEPS < 1; }\n')
    done(f"cmake -S . -B b -DCMAKE_PREFIX_PATH={tmp_path}/root && cmake --build b && b/consumer", user)
    assert list((tmp_path / "root").rglob("one.pc"))


def test_optimized_at_link_time(project: Path) -> None:
    assert "0 elements wrong" in done("make -s -j2 ARCH= CFLAGS='-O1 -flto' && ./one_test", project)


def test_the_runtimes_symbols_carry_its_version(project: Path) -> None:
    done("make -s -j2 ARCH= CFLAGS=-O0 build/libone.a", project)
    listed = done("nm -g --defined-only build/libone.a", project)
    names = {line.split()[2] for line in listed.splitlines() if len(line.split()) == 3}
    versions = {name[-9:] for name in names if name.startswith("dgqc_")}
    assert len(versions) == 1
    assert re.fullmatch("_[0-9a-f]{8}", versions.pop())
    assert all(name.startswith(("dgqc_", "one_")) for name in names)


def test_a_host_converts_as_we_do(program: Program, project: Path, tmp_path: Path) -> None:
    (tmp_path / "convert.c").write_text(CONVERT)
    one = program.inputs[0]
    assert one.scale is not None
    scale = float(one.scale[1])
    flags = f"-std=c99 -Wall -Wextra -Werror -pedantic -Ione/include -DSCALE={scale!r}"
    found = done(f"cc {flags} convert.c -o convert && ./convert", tmp_path).split()
    values = torch.tensor([0.0, 1.0, -1.0, 0.3, -0.7, 1e30, -1e30, 0.0])
    shaped = torch.zeros(one.shape).flatten()
    shaped[:8] = values
    given = {item.name: torch.zeros(item.shape) for item in program.inputs}
    codes = to_integers(program, {**given, one.name: shaped.reshape(one.shape)}, 1)[one.name].flatten()[:8]
    assert [int(word) for word in found[1:9]] == codes.tolist()
    assert int(found[0]) == 2
    back = codes.to(torch.float64) * scale
    assert torch.equal(torch.tensor([float(word) for word in found[9:]]), back.to(torch.float32))
    assert to_floats(program, codes, 1).dtype == torch.float32


def test_a_host_converts_channels_with_scales_of_their_own_as_we_do(
    program: Program, project: Path, tmp_path: Path
) -> None:
    (tmp_path / "convert.c").write_text(BY_CHANNEL)
    sample, context = program.inputs
    flags = f"-std=c99 -Wall -Wextra -Werror -pedantic -Ione/include -DTOKENS={context.shape[1]}"
    found = done(f"cc {flags} convert.c -o convert && ./convert", tmp_path).split()
    values = (torch.arange(context.shape[1] * context.shape[2]).float().square() * 1000 - 500000).reshape(
        context.shape
    )
    saturated: Counter[str] = Counter()
    codes = to_integers(program, {sample.name: torch.zeros(sample.shape), context.name: values}, 1, saturated)
    assert [int(word) for word in found[1:]] == codes[context.name].flatten().tolist()
    assert int(found[0]) == saturated[context.name] > 0
    last = codes[context.name][..., -1]
    assert bool((last.abs() < 32767).all()), "the coarsest channel holds what the finest can't"
