"""Programs called as applications call them: by several threads, inside teams, after a fork."""

from __future__ import annotations

import os
import platform
import select
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import torch
from toolchains import need_linking

from dgqc.backends import reference
from dgqc.backends.c import CProgram, build, emit
from dgqc.backends.c.execution.processors import (
    instruction_sets,
    may_use_matrix_units,
    usable_processors,
)
from dgqc.backends.c.execution.toolchain import find_toolchain
from dgqc.ir.errors import DgqcError
from dgqc.ir.program import Program

from .kernels import planned
from .unet_like import inputs_of, unet_like

TEAM = r"""
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include "model.h"
enum { GUARD = 1 << 20, MANY = 20000 };
int main(void)
{
    const size_t bytes = MODEL_SHARED_BYTES + MODEL_THREAD_BYTES;
    int bad = 0;
    #pragma omp parallel num_threads(4) reduction(+ : bad)
    {
        unsigned char *block = aligned_alloc(64, (bytes + GUARD + 63) / 64 * 64);
        int16_t *values = calloc(MANY, 2);
        model_program program;
        memset(block, 0xA5, bytes + GUARD);
        bad += model_init(&program, &model_weights, MODEL_WEIGHTS_BYTES, block, bytes) != MODEL_OK;
        bad += model_run(&program, 0, values, values, values + MANY / 2) != MODEL_OK;
        for (size_t i = 0; i < GUARD; i++) bad += block[bytes + i] != 0xA5;
        program.threads = 2;
        bad += model_run(&program, 0, values, values, values + MANY / 2) != MODEL_THREADS_OUT_OF_RANGE;
    }
    return bad != 0;
}
"""

THREADS = r"""
#include <pthread.h>
#include <stdlib.h>
#include "model.h"
enum { MANY = 20000, TURNS = 3 };
static int16_t values[MANY];
static void *work(void *wrong)
{
    void *arena = aligned_alloc(64, (MODEL_ARENA_BYTES + 63) / 64 * 64);
    int16_t *output = calloc(MANY, 2);
    model_program program;
    int bad = model_init(&program, &model_weights, MODEL_WEIGHTS_BYTES, arena, MODEL_ARENA_BYTES) != MODEL_OK;
    for (int turn = 0; turn < TURNS; turn++)
        bad += model_run(&program, turn, values, values, output) != MODEL_OK;
    *(int *)wrong = bad;
    return NULL;
}
int main(void)
{
    pthread_t threads[4];
    int wrong[4] = {0}, bad = 0;
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, work, &wrong[i]);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++) bad += wrong[i];
    return bad != 0;
}
"""


@pytest.fixture(scope="module")
def program() -> Program:
    return planned(unet_like(5, size=9), parallel=0)


@pytest.fixture(scope="module")
def folder(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("called")
    emit(program, place)
    return place


def test_inside_a_team_of_the_callers(folder: Path, tmp_path: Path) -> None:
    """Each of four threads has a program and an arena for one thread, and nothing behind it changes."""
    (tmp_path / "main.c").write_text(TEAM)
    library = str(build(folder).library)
    made = ["cc", "-O1", "-w", f"-I{folder}/include", f"-I{folder}/src", str(tmp_path / "main.c"), library]
    tried = subprocess.run([*made, "-fopenmp", "-o", tmp_path / "team"], capture_output=True, check=False)
    if tried.returncode and b"omp" in tried.stderr:
        pytest.skip("the C compiler has no OpenMP")
    assert tried.returncode == 0, tried.stderr.decode()
    assert subprocess.run([tmp_path / "team"], check=False).returncode == 0


@pytest.mark.slow
def test_threads_that_share_constants_and_inputs_race_nowhere(folder: Path, tmp_path: Path) -> None:
    """Four threads, each with a program and an arena of its own, under ThreadSanitizer."""
    need_linking("clang", "-fsanitize=thread")
    (tmp_path / "main.c").write_text(THREADS)
    sources = [str(path) for path in (folder / "src").glob("*.c")]
    options = [
        "-O1",
        "-g",
        "-w",
        "-fsanitize=thread",
        "-DDGQC_PORTABLE",
        f"-I{folder}/include",
        f"-I{folder}/src",
    ]
    made = [
        "clang",
        *options,
        str(tmp_path / "main.c"),
        *sources,
        "-lpthread",
        "-o",
        str(tmp_path / "threads"),
    ]
    subprocess.run(made, check=True)
    ran = subprocess.run([tmp_path / "threads"], capture_output=True, text=True, check=False)
    if "unexpected memory mapping" in ran.stderr:
        pytest.skip("ThreadSanitizer can't run under this kernel")
    assert ran.returncode == 0, ran.stderr[:2000]


def test_by_many_python_threads_at_once(program: Program, folder: Path) -> None:
    compiled = CProgram(folder, threads=2)
    inputs = [inputs_of(program, seed=seed) for seed in range(6)]
    expected = [reference.run(program, one, seed % 3) for seed, one in enumerate(inputs)]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(10):
            found = list(pool.map(compiled.run, inputs, [seed % 3 for seed in range(6)]))
            assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert 1 <= len(compiled._arenas._free) <= 6


def test_in_the_child_of_a_process_that_has_called(program: Program, folder: Path) -> None:
    compiled, inputs = CProgram(folder, threads=2), inputs_of(program)
    before = compiled.run(inputs, 1)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # nothing here may raise into the test runner
        try:
            os.write(writing, b"same" if torch.equal(before, compiled.run(inputs, 1)) else b"other")
        finally:
            os._exit(0)
    answered = select.select([reading], [], [], 60)[0]
    if not answered:
        os.kill(child, 9)
    os.waitpid(child, 0)
    assert answered, "the child hangs"
    assert os.read(reading, 8) == b"same"


def test_where_processors_can_not_be_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert usable_processors() == os.cpu_count()
    CProgram(folder)


def test_less_than_a_thread_is_refused(folder: Path) -> None:
    with pytest.raises(DgqcError, match="at least 1"):
        CProgram(folder, threads=0)


def test_a_library_is_kept_for_processors_alike(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home folder that unlike machines share holds a library for each kind."""
    here = build(folder).library
    module = sys.modules[find_toolchain.__module__]
    # Where it would be is asked; compiling all kernels takes long.
    monkeypatch.setattr(sys.modules[build.__module__], "_kept", lambda file, make: file)
    assert build(folder).library == here
    monkeypatch.setattr(module, "instruction_sets", lambda command, flags: "another machine's")
    assert build(folder).library != here
    command = shutil.which("cc")
    assert command
    assert instruction_sets(command, ("-DONE=1",)) != instruction_sets(command, ())


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86-64 has AMX")
def test_matrix_units_make_another_kind_of_processor() -> None:
    command = shutil.which("gcc")
    assert command
    plain = instruction_sets(command, ("-march=icelake-server",))
    assert instruction_sets(command, ("-march=icelake-server", "-mamx-tile", "-mamx-int8")) != plain


def test_results_are_the_same_where_matrix_units_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for answer in (may_use_matrix_units(), False):
        monkeypatch.setattr(sys.modules[CProgram.__module__], "may_use_matrix_units", partial(bool, answer))
        program = CProgram(folder)
        inputs = {name: torch.full(shape, 99, dtype=torch.int16) for name, shape in program.signature.inputs}
        results.append(program.run(inputs, 0))
    assert torch.equal(*results)
