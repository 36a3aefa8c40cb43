"""The denoising loop's C against its reference: noise, updates, and whole drawings."""

from __future__ import annotations

import ctypes
import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toolchains import PLAIN_MAKE

from dgqc.backends import reference
from dgqc.backends.c import CProgram, DrawingVector, emit
from dgqc.bundle.vectors import noise_of
from dgqc.ir.arithmetic.noise import normal_noise
from dgqc.ir.denoising import DenoisingLoop, Labels
from dgqc.ir.drawing import UNGUIDED, Drawing
from dgqc.ir.errors import DgqcError
from dgqc.ir.program import Program
from dgqc.ir.sampler import KINDS

from .integer_graph import IntegerGraph, pick
from .kernels import Variant, compile_runtime, native, parameter_types, planned
from .unet_like import with_ddim

STEPS, GUIDANCE = 3, 5 * UNGUIDED // 2
SUMS = ("next", "clean", "kept")


class Places(ctypes.Structure):
    """Where terms of a call lie: `dgqc_denoise_places`."""

    _fields_: ClassVar = [(name, ctypes.c_void_p) for name in ("state", "output", "noise", "kept", "clean")]


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    return compile_runtime(Variant(native()))


@given(st.integers(0, 2**32 - 1), st.integers(0, 300), st.integers(0, 100))
def test_noise(library: ctypes.CDLL, seed: int, count: int, first: int) -> None:
    found = torch.zeros(count, dtype=torch.int16)
    library.dgqc_normal_noise(
        ctypes.c_uint32(seed),
        ctypes.c_size_t(first),
        ctypes.c_size_t(count),
        ctypes.c_void_p(found.data_ptr()),
    )
    assert torch.equal(found, normal_noise(seed, first + count)[first:])


def parameters_of(loop: DenoisingLoop, count: int) -> ctypes.Structure:
    """A `dgqc_denoise_parameters`, which points to the loop's tables."""
    parameters = parameter_types()["dgqc_denoise_parameters"](count=count, limit=loop.limit)
    for name in ("sample_factor", "sample_shift", *(f"{one}{end}" for one in SUMS for end in ("", "_shift"))):
        setattr(parameters, name, getattr(loop, name).data_ptr())
    for name in ("states", "outputs", "noises", "kepts", "cleans"):
        setattr(parameters, name, getattr(loop, name))
    return parameters


def loop_of(random: torch.Generator, depths: dict[str, int]) -> DenoisingLoop:
    """Tables over all that their widths allow; every call of a picture has a row of its own."""
    terms, rows = sum(depths.values()), 2 * STEPS

    def table(low: int, high: int, *shape: int) -> torch.Tensor:
        return pick(random, low, high, *shape)

    def sums(used: bool) -> tuple[torch.Tensor, torch.Tensor]:
        count = rows if used else 0
        most = 2**29 // terms
        return table(-most, most, count, terms), table(20, 40, count)

    clean = sums(depths["clean"] > 0)
    # No clean picture is made of itself, which would be the first of the last terms.
    clean[0][:, terms - max(1, depths["clean"])] = 0
    numbers = table(0, 2**30 - 1, 2).tolist(), table(1, 50, 2).tolist()
    return DenoisingLoop(
        table(0, 2**30 - 1, STEPS),
        table(1, 62, STEPS),
        table(-(2**28), 2**28, STEPS),
        table(-(2**28), 2**28, STEPS),
        table(1, 40, STEPS),
        torch.arange(1, STEPS + 1, dtype=torch.int32) if depths["noise"] else table(0, 0, STEPS),
        torch.arange(rows, dtype=torch.int32).reshape(STEPS, 2),
        *sums(True),
        *clean,
        *sums(depths["kept"] > 0),
        numbers[0][0],
        numbers[1][0],
        numbers[0][1],
        numbers[1][1],
        *(depths[kind] for kind in KINDS),
        int(table(0, 2**31 - 1, 1)),
    )


@settings(max_examples=12)
@given(
    st.integers(0, 2**31),
    st.fixed_dictionaries(
        {
            "state": st.integers(1, 3),
            "output": st.integers(1, 3),
            "noise": st.integers(0, 2),
            "kept": st.integers(0, 1),
            "clean": st.integers(0, 2),
        }
    ),
    st.integers(0, 1),
    st.integers(0, 2**19),
)
def test_whole_loops(
    library: ctypes.CDLL, seed: int, depths: dict[str, int], start: int, guidance: int
) -> None:
    """The kernels as `NAME_denoise` calls them, any depth, with extremes."""
    random = torch.Generator().manual_seed(seed)
    loop, count = loop_of(random, depths), 40
    outputs = pick(random, -32768, 32767, 2, STEPS, 1, count, dtype=torch.int16)
    noise = pick(random, -32768, 32767, loop.noise_pictures, count, dtype=torch.int16)
    latent = pick(random, -32768, 32767, 1, count, dtype=torch.int16)
    conditions = [{"which": torch.tensor(which)} for which in (0, 1)]
    drawing = Drawing(noise, conditions[0], conditions[1], guidance, latent if start else None, start)
    wanted = list(loop.steps(lambda x, given, step: outputs[int(given["which"]), step], drawing))

    parameters = parameters_of(loop, count)
    held = torch.zeros(loop.terms, count, dtype=torch.int32)
    place, size = ctypes.c_void_p, ctypes.c_size_t
    library.dgqc_denoise_at.restype = Places

    def at(made: int) -> Places:
        memory = place(held.data_ptr())
        return library.dgqc_denoise_at(ctypes.byref(parameters), size(count), size(made), memory)

    def values(where: int | None) -> torch.Tensor:
        assert where is not None
        row = (where - held.data_ptr()) // (4 * count)
        return held[row].reshape(1, count)

    first = (loop.begin_latent, loop.begin_noise, loop.begin_shift)
    numbers = [int(one[start]) for one in first] if start else [0, loop.first_factor, loop.first_shift]
    library.dgqc_denoise_begin(
        size(count),
        (ctypes.c_int32 * 3)(*numbers),
        place(latent.data_ptr() if start else None),
        place(noise.data_ptr()),
        place(at(0).state),
    )
    for made, step in enumerate(range(start, STEPS)):
        now = at(made)
        assert torch.equal(values(now.state), wanted[made])
        sample = torch.zeros(1, count, dtype=torch.int16)
        called = (size(step), place(now.state), place(sample.data_ptr()))
        library.dgqc_denoise_sample(ctypes.byref(parameters), *called)
        assert torch.equal(sample, loop.sample(wanted[made], step))
        given, without = (place(outputs[which, step].data_ptr()) for which in (0, 1))
        library.dgqc_denoise_widen(size(count), 8, without if drawing.guides else given, place(now.output))
        if drawing.guides:
            library.dgqc_denoise_guide(size(count), ctypes.c_int32(guidance), given, place(now.output))
        if now.noise:
            drawn = noise[int(loop.noise_of[step])]
            library.dgqc_denoise_widen(size(count), 0, place(drawn.data_ptr()), place(now.noise))
        row = int(loop.ways[step, min(made, 1)])
        library.dgqc_denoise_follow(
            ctypes.byref(parameters), size(count), size(row), size(made), place(held.data_ptr())
        )
    last = values(at(STEPS - start).state)
    assert torch.equal(last, wanted[-1])
    picture = torch.zeros(1, count, dtype=torch.int16)
    ends = (ctypes.c_int32(loop.last_factor), ctypes.c_int32(loop.last_shift))
    library.dgqc_denoise_end(size(count), *ends, place(last.data_ptr()), place(picture.data_ptr()))
    assert torch.equal(picture, loop.end(wanted[-1]))


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
    given, negative = ({"condition": program.loop.labels.codes[one]} for one in (label, 0))
    noise = noise_of(seed, 1, program.inputs[0].shape)

    def call(sample: torch.Tensor, conditions: Mapping[str, torch.Tensor], step: int) -> torch.Tensor:
        return reference.run(program, {"sample": sample, **conditions}, step)

    drawn = program.loop.run(call, Drawing(noise, given, negative, GUIDANCE))
    return DrawingVector(seed, given, drawn, negative, GUIDANCE)


def test_a_whole_drawing(tmp_path: Path) -> None:
    program = drawn_program()
    drawing = drawing_of(program, 7, 3)
    assert drawing.output.unique().numel() > 5
    emit(program, tmp_path, drawing=drawing)
    compiled = CProgram(tmp_path)
    noise, told = normal_noise(7, 24).reshape(1, 2, 3, 4), []
    asked = Drawing(noise, drawing.conditions, drawing.negative, drawing.guidance)
    assert torch.equal(compiled.draw(asked, lambda *done: told.append(done)), drawing.output)
    assert told == [(1, 3), (2, 3), (3, 3)]
    unguided = compiled.draw(Drawing(noise, drawing.conditions))
    assert not torch.equal(unguided, drawing.output)
    late = compiled.draw(Drawing(noise, drawing.conditions, latent=drawing.output, start=1))
    assert not torch.equal(late, unguided)
    with pytest.raises(DgqcError, match="step out of range"):
        compiled.draw(Drawing(noise, drawing.conditions, start=1))
    with pytest.raises(DgqcError, match="input condition is missing"):
        compiled.draw(Drawing(noise, drawing.conditions, guidance=GUIDANCE))
    # The emitted test draws it too, from the seed.
    subprocess.run(["make", *PLAIN_MAKE], cwd=tmp_path, check=True, capture_output=True)
    done = subprocess.run(["./model_test"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "model: 0 vectors, 1 drawing, 0 elements wrong\n")


def test_a_wrong_drawing_fails(tmp_path: Path) -> None:
    program = drawn_program()
    drawing = drawing_of(program, 7, 3)
    drawing.output.view(-1)[5] ^= 1
    emit(program, tmp_path, drawing=drawing)
    subprocess.run(["make", *PLAIN_MAKE], cwd=tmp_path, check=True, capture_output=True)
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
        return int(compiled.library.model_draw(*map(ctypes.c_void_p, arguments)))

    memory = data + 8 * 64
    assert draw(program_of, memory, data, data, data) == 0
    assert draw(None, memory, data, data, data) == 1
    assert draw(program_of, None, data, data, data) == 1
    assert draw(program_of, memory, None, data, data) == 1
    assert draw(program_of, memory, data, None, data) == 1
    assert draw(program_of, memory, data, data, None) == 1
    labels = (ctypes.c_int16 * (5 * 24)).in_dll(compiled.library, "model_labels")
    assert program.loop is not None
    assert program.loop.labels is not None
    assert list(labels) == program.loop.labels.codes.flatten().tolist()
    header = (tmp_path / "include" / "model_loop.h").read_text()
    assert re.search(r"#define MODEL_LABELS 5\b", header)
    emit(replace(program, loop=None), tmp_path / "plain")
    with pytest.raises(DgqcError, match="has no denoising loop"):
        CProgram(tmp_path / "plain").draw(Drawing(torch.zeros(1, 2, 3, 4).short()))
