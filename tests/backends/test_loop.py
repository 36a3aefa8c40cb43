"""The denoising loop's C against its reference: noise, updates, and whole drawings."""

from __future__ import annotations

import ctypes
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.backends import reference
from dgqc.backends.c import CProgram, DrawingVector, emit
from dgqc.ir.arithmetic.noise import normal_noise
from dgqc.ir.denoising import DenoisingLoop, Labels
from dgqc.ir.errors import DgqcError
from dgqc.ir.program import Program

from .integer_graph import IntegerGraph, pick
from .kernels import compile_runtime, parameter_types, planned
from .unet_like import with_ddim

STEPS = 3


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return compile_runtime(tmp_path_factory.mktemp("runtime"), "-O2")


@given(st.integers(0, 2**32 - 1), st.integers(0, 300))
def test_noise(library: ctypes.CDLL, seed: int, count: int) -> None:
    found = torch.zeros(count, dtype=torch.int16)
    library.dgqc_normal_noise(
        ctypes.c_uint32(seed), ctypes.c_size_t(count), ctypes.c_void_p(found.data_ptr())
    )
    assert torch.equal(found, normal_noise(seed, count))


@given(st.integers(0, 2**31), st.booleans())
def test_updates(library: ctypes.CDLL, seed: int, clipped: bool) -> None:
    """Tables over all that their widths allow, states and outputs with extremes."""
    random = torch.Generator().manual_seed(seed)

    def table(low: int, high: int) -> torch.Tensor:
        return pick(random, low, high, STEPS)

    factors = [table(-(2**28) + 1, 2**28 - 1) for _ in range(5)]
    loop = DenoisingLoop(
        table(0, 2**30 - 1),
        table(1, 62),
        table(0, 2**31 - 1),
        table(1, 62),
        *factors[:2],
        table(1, 62),
        *factors[2:],
        table(1, 62),
        int(pick(random, 0, 2**31 - 1, 1)) if clipped else 2**31 - 1,
    )
    count = 40
    state = pick(random, -(2**31), 2**31 - 1, count)
    state[:2] = torch.tensor([-(2**31), 2**31 - 1])
    output = pick(random, -32768, 32767, count, dtype=torch.int16)
    parameters = parameter_types()["dgqc_denoise_parameters"](count=count, limit=loop.limit)
    for name, values in loop.tables.items():
        setattr(parameters, name, values.data_ptr())
    at = ctypes.c_void_p

    def call(name: str, *arguments: object) -> None:
        getattr(library, f"dgqc_denoise_{name}")(ctypes.byref(parameters), *arguments)

    begun, sample = torch.zeros_like(state), torch.zeros_like(output)
    call("begin", at(output.data_ptr()), at(begun.data_ptr()))
    assert torch.equal(begun, loop.begin(output))
    for step in range(STEPS):
        call("sample", ctypes.c_size_t(step), at(state.data_ptr()), at(sample.data_ptr()))
        assert torch.equal(sample, loop.sample(state, step))
        expected = loop.update(state, output, step)
        call("update", ctypes.c_size_t(step), at(output.data_ptr()), at(state.data_ptr()))
        assert torch.equal(state, expected)
    call("end", at(state.data_ptr()), at(sample.data_ptr()))
    assert torch.equal(sample, loop.end(state))


def drawn_program() -> Program:
    """sample (1, 2, 3, 4) and a condition of its shape, added; the labels are rows of random conditions."""
    g = IntegerGraph(steps=STEPS)
    shape = (1, 2, 3, 4)
    sample, condition = g.take(sample=shape, condition=shape)
    scales = (g.table(2**28, 2**29, STEPS), g.table(2**28, 2**29, STEPS), g.table(29, 30, STEPS))
    program = g.finish(g.call(torch.ops.dgqc.add.default, sample, condition, g.step, *scales))
    labels = Labels("condition", pick(g.random, -9000, 9000, 5, *shape, dtype=torch.int16))
    return planned(with_ddim(program, labels))


def drawing_of(program: Program, seed: int, label: int) -> DrawingVector:
    assert program.loop is not None
    assert program.loop.labels is not None
    condition = program.loop.labels.codes[label]
    shape = program.inputs[0].shape
    noise = normal_noise(seed, torch.Size(shape).numel()).reshape(shape)

    def call(sample: torch.Tensor, step: int) -> torch.Tensor:
        return reference.run(program, {"sample": sample, "condition": condition}, step)

    return DrawingVector(seed, {"condition": condition}, program.loop.run(call, noise))


def test_a_whole_drawing(tmp_path: Path) -> None:
    program = drawn_program()
    drawing = drawing_of(program, 7, 3)
    assert drawing.output.unique().numel() > 10
    emit(program, tmp_path, drawing=drawing)
    compiled = CProgram(tmp_path)
    noise = normal_noise(7, 24).reshape(1, 2, 3, 4)
    assert torch.equal(compiled.draw(noise, drawing.conditions), drawing.output)
    # The emitted test draws it too, from the seed.
    subprocess.run(["make", "CFLAGS=-O1", "ARCH="], cwd=tmp_path, check=True, capture_output=True)
    done = subprocess.run(["./model_test"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "model: 0 vectors, 1 drawing, 0 elements wrong\n")


def test_a_wrong_drawing_fails(tmp_path: Path) -> None:
    program = drawn_program()
    drawing = drawing_of(program, 7, 3)
    drawing.output.view(-1)[5] ^= 1
    emit(program, tmp_path, drawing=drawing)
    subprocess.run(["make", "CFLAGS=-O0", "ARCH="], cwd=tmp_path, check=True, capture_output=True)
    done = subprocess.run(["./model_test"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "drawing 0, element 5" in done.stdout


def test_guards_and_labels(tmp_path: Path) -> None:
    program = drawn_program()
    emit(program, tmp_path)
    compiled = CProgram(tmp_path)
    values = torch.zeros(compiled.signature.draw_bytes, dtype=torch.int64)
    program_of, data = ctypes.addressof(compiled._arenas._free[0]), values.data_ptr()

    def draw(*arguments: int | None) -> int:
        return int(compiled._library.model_draw(*map(ctypes.c_void_p, arguments)))

    memory = data + 8 * 64
    assert draw(program_of, memory, data, data, data) == 0
    assert draw(None, memory, data, data, data) == 1
    assert draw(program_of, None, data, data, data) == 1
    assert draw(program_of, memory, None, data, data) == 1
    assert draw(program_of, memory, data, None, data) == 1
    assert draw(program_of, memory, data, data, None) == 1
    labels = (ctypes.c_int16 * (5 * 24)).in_dll(compiled._library, "model_labels")
    assert program.loop is not None
    assert program.loop.labels is not None
    assert list(labels) == program.loop.labels.codes.flatten().tolist()
    header = (tmp_path / "include" / "model_loop.h").read_text()
    assert re.search(r"#define MODEL_LABELS 5\b", header)
    emit(replace(program, loop=None), tmp_path / "plain")
    with pytest.raises(DgqcError, match="has no denoising loop"):
        CProgram(tmp_path / "plain").draw(torch.zeros(1, 2, 3, 4).short(), {})
