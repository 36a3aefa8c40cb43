from __future__ import annotations

import platform
from pathlib import Path

import pytest
import torch

from dgqc.backends import reference
from dgqc.backends.c import DrawingVector, Vector, emit
from dgqc.backends.c.execution.processors import may_use_matrix_units
from dgqc.bundle.vectors import noise_of
from dgqc.ir.drawing import UNGUIDED, Drawing

from .kernels import STRICT, Builds, Kernels, Variant, compile_runtime, native, planned
from .unet_like import inputs_of, unet_like, with_ddim


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def kernels() -> Builds:
    """The runtime as it ships: at -O3 for this machine, with older vectors, and without any."""
    portable = (*STRICT, "-O1", "-DDGQC_PORTABLE")
    variants = {"native": Variant(native()), "portable": Variant(portable)}
    if platform.machine() == "x86_64":
        avx2 = (*STRICT, "-O1", "-mavx2")
        variants["avx2"] = Variant(avx2)
        if "avx_vnni" in Path("/proc/cpuinfo").read_text():
            variants["avxvnni"] = Variant(avx2, ("-mavxvnni",), "__AVXVNNI__")
    # Matrix units in plain C, around plain C and around this machine's vectors.
    emulated = ("-DDGQC_MATRIX_EMULATED",)
    variants["matrix"] = Variant(portable, emulated, emulated[0][2:])
    variants["matrix-native"] = Variant(native(), (*emulated, "-O1"), emulated[0][2:])
    builds = []
    for name, variant in variants.items():
        library = compile_runtime(variant)
        library.dgqc_use_matrix_units(int("matrix" in name or may_use_matrix_units()))
        builds.append(Kernels(name, library))
    return tuple(builds)


@pytest.fixture(scope="session")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program with every op and a denoising loop as a folder of C, with vectors and a drawing."""
    program = planned(with_ddim(unet_like()))
    loop = program.loop
    assert loop is not None
    vectors = []
    for step in range(len(program.schedule)):
        inputs = inputs_of(program, seed=step)
        vectors.append(Vector(step, inputs, reference.run(program, inputs, step)))
    given, negative = (
        {name: value for name, value in inputs_of(program, seed).items() if name != "sample"}
        for seed in (0, 1)
    )
    drawing = Drawing(noise_of(1, 1, program.inputs[0].shape), given, negative, 5 * UNGUIDED // 2)
    output = loop.run(lambda x, c, step: reference.run(program, {"sample": x, **c}, step), drawing)
    directory = tmp_path_factory.mktemp("whole") / "model"
    emit(
        program,
        directory,
        vectors=vectors,
        drawing=DrawingVector(1, given, output, negative, drawing.guidance),
    )
    return directory
