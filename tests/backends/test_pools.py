"""Programs that are carried by threads of the caller's, in the place of OpenMP's."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from toolchains import need_linking

from dgqc.backends import reference
from dgqc.backends.c import CProgram, Vector, emit
from dgqc.ir.program import Program

from .kernels import planned
from .unet_like import inputs_of, unet_like

STEP, THREADS = 1, 3
PART = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t)
RUN = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p)


class CPool(ctypes.Structure):
    """`dgqc_pool`."""

    _fields_: ClassVar = [("run", RUN), ("context", ctypes.c_void_p)]


class Pool:
    """Runs ranges by a function of Python, and writes down how long they were."""

    def __init__(self, through: Callable[[Callable[[int], None], Iterable[int]], object]) -> None:
        self.counts: list[int] = []
        self._through = through
        self.structure = CPool(RUN(self._run))

    def _run(self, context: object, count: int, part: int, argument: int) -> None:
        self.counts.append(count)
        called = PART(part)
        self._through(lambda index: called(argument, index), range(count))


@pytest.fixture(scope="module")
def program() -> Program:
    return planned(unet_like(5, size=9), parallel=0)


@pytest.fixture(scope="module")
def folder(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place, inputs = tmp_path_factory.mktemp("pools"), inputs_of(program, 3)
    emit(program, place, vectors=[Vector(STEP, inputs, reference.run(program, inputs, STEP))])
    return place


def carried(folder: Path, pool: Pool) -> CProgram:
    """The program with a pool in its handle, as a caller of C sets it after `model_init`."""
    loaded = CProgram(folder, threads=THREADS)
    assert loaded._arenas._first is not None
    loaded._arenas._first.pool = ctypes.addressof(pool.structure)
    return loaded


def test_threads_of_python_carry_a_program(program: Program, folder: Path) -> None:
    inputs = inputs_of(program, 3)
    with ThreadPoolExecutor(THREADS) as threads:
        pool = Pool(lambda part, indices: list(threads.map(part, indices)))
        found = carried(folder, pool).run(inputs, STEP)
    assert torch.equal(found, reference.run(program, inputs, STEP))
    assert set(pool.counts) == {THREADS}


def test_any_order_and_one_after_another(program: Program, folder: Path) -> None:
    inputs = inputs_of(program, 3)
    pool = Pool(lambda part, indices: [part(index) for index in reversed(list(indices))])
    assert torch.equal(carried(folder, pool).run(inputs, STEP), reference.run(program, inputs, STEP))
    assert pool.counts


def test_a_part_that_is_left_out_shows(program: Program, folder: Path) -> None:
    """The pool runs all there is: without the last part the result is another."""
    inputs = inputs_of(program, 3)
    pool = Pool(lambda part, indices: [part(index) for index in list(indices)[:-1]])
    assert not torch.equal(carried(folder, pool).run(inputs, STEP), reference.run(program, inputs, STEP))


def test_two_programs_at_once_each_with_its_own(program: Program, folder: Path, tmp_path: Path) -> None:
    """One by OpenMP, one by a pool, from two threads."""
    other = planned(unet_like(6), parallel=0)
    emit(other, tmp_path, name="second")
    pairs = [(program, CProgram(folder, threads=2)), (other, CProgram(tmp_path, threads=2))]
    inputs = [inputs_of(one, 3) for one, _ in pairs]
    with ThreadPoolExecutor(2) as threads:
        pool = Pool(lambda part, indices: [part(index) for index in indices])
        pairs.append((program, carried(folder, pool)))
        inputs.append(inputs[0])
        for _ in range(5):
            found = threads.map(lambda pair, given: pair[1].run(given, STEP), pairs, inputs)
            for (one, _), given, result in zip(pairs, inputs, found, strict=True):
                assert torch.equal(result, reference.run(one, given, STEP))


PTHREADS = r"""
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include "model.h"
#include "vectors.h"
enum { THREADS = 3 };
typedef struct { void (*part)(void *, size_t); void *argument; size_t index; } job;
static void *work(void *given)
{
    const job *const one = given;
    one->part(one->argument, one->index);
    return NULL;
}
static void run(void *context, size_t count, void (*part)(void *, size_t), void *argument)
{
    pthread_t threads[THREADS];
    job jobs[THREADS];
    (void)context;
    for (size_t i = 0; i < count; i++) {
        const job one = {part, argument, i};
        jobs[i] = one;
        pthread_create(&threads[i], NULL, work, &jobs[i]);
    }
    for (size_t i = 0; i < count; i++) pthread_join(threads[i], NULL);
}
static unsigned char memory[MODEL_SHARED_BYTES + THREADS * MODEL_THREAD_BYTES + 64];
static int16_t output[MODEL_OUTPUT_ELEMENTS];
int main(void)
{
    const dgqc_pool pool = {run, NULL};
    unsigned char *arena = memory;
    model_program program;
    int wrong = 0;
    while ((uintptr_t)arena % 64 != 0) arena++;
    wrong += model_init(&program, &model_weights, MODEL_WEIGHTS_BYTES, arena, sizeof memory - 64) != MODEL_OK;
    program.pool = &pool;
    program.threads = THREADS;
    wrong += model_run(&program, test_vectors[0].step, test_vectors[0].sample,
                       test_vectors[0].encoder_hidden_states, output) != MODEL_OK;
    for (size_t i = 0; i < MODEL_OUTPUT_ELEMENTS; i++) wrong += output[i] != test_vectors[0].output[i];
    printf("%d wrong\n", wrong);
    return wrong != 0;
}
"""


@pytest.mark.slow
def test_threads_of_a_caller_without_openmp_race_nowhere(folder: Path, tmp_path: Path) -> None:
    """Under ThreadSanitizer, with a thread for each part."""
    need_linking("clang", "-fsanitize=thread")
    (tmp_path / "main.c").write_text(PTHREADS)
    sources = [tmp_path / "main.c", folder / "vectors.c", *(folder / "src").glob("*.c")]
    places = [f"-I{folder / place}" for place in ("include", "src", "")]
    flags = ["-O1", "-g", "-w", "-fsanitize=thread", "-DDGQC_PORTABLE", *places]
    subprocess.run(["clang", *flags, *sources, "-lpthread", "-o", tmp_path / "pool"], check=True)
    ran = subprocess.run([tmp_path / "pool"], capture_output=True, text=True, check=False)
    if "unexpected memory mapping" in ran.stderr:
        pytest.skip("ThreadSanitizer can't run under this kernel")
    assert (ran.returncode, ran.stdout) == (0, "0 wrong\n"), ran.stderr[:2000]
