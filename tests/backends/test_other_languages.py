"""Emitted projects from Python without PyTorch, and from Rust, by the recipes of docs/c-backend.md."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dgqc.backends import reference
from dgqc.backends.c import Storage, emit
from dgqc.backends.c.execution.build import build
from dgqc.execution.boundary import to_floats, to_integers
from dgqc.ir.program import Program

from .kernels import planned
from .unet_like import unet_like

PAGE = Path(__file__).parents[2] / "docs" / "c-backend.md"
CALLER = """
import sys
sys.path.insert(0, ".")
import numpy
import model
values = numpy.load("inputs.npz")
program = model.Program(sys.argv[1])
numpy.save("output.npy", program.run(1, **values))
try:
    program.run(-1, **values)
except ValueError as error:
    print(error)
last = values["sample"]
turned, unknown = last.swapaxes(1, 3), last * numpy.nan
for wrong in ({}, {"other": last, **values}, {**values, "sample": turned}, {**values, "sample": unknown}):
    try:
        program.run(0, **wrong)
    except ValueError as error:
        print(error)
program.handle.threads = 2
try:
    program.run(0, **values)
except ValueError as error:
    print(error)
assert "torch" not in sys.modules
"""


@pytest.fixture(scope="module")
def program() -> Program:
    """Its context's channels have scales of their own."""
    made = planned(unet_like(5))
    scale = 0.37 / torch.arange(1, len(made.schedule) + 1, dtype=torch.float64)
    sample, context = (replace(one, scale=scale) for one in made.inputs)
    unlike = replace(context, exponent=torch.arange(context.shape[-1]).reshape(1, 1, -1) * 7)
    return replace(made, inputs=(sample, unlike), output_scale=scale)


@pytest.mark.parametrize("storage", [Storage.OBJECT, Storage.FILE, Storage.STREAM])
def test_numpy_alone_gives_the_same_values(program: Program, storage: Storage, tmp_path: Path) -> None:
    import numpy

    emit(program, tmp_path, name="model", vectors=[], storage=storage)
    generator = torch.Generator().manual_seed(0)
    values = {one.name: torch.randn(one.shape, generator=generator) for one in program.inputs}
    numpy.savez(tmp_path / "inputs.npz", **{name: value.numpy() for name, value in values.items()})
    (tmp_path / "caller.py").write_text(CALLER)
    command = [sys.executable, "caller.py", str(build(tmp_path).library)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Step -1 is outside the schedule, 0 .. " in done.stdout
    assert "Inputs are sample, encoder_hidden_states, but none came." in done.stdout
    assert "but other, sample, encoder_hidden_states came." in done.stdout
    for shape in ("(1, 6, 6, 8)", "(1, 8, 6, 6)"):
        assert (
            f"sample is of shape {shape}, but finite numbers of shape (1, 8, 6, 6) are needed." in done.stdout
        )
    assert "model_run returned 8; include/model.h says what that means." in done.stdout
    wanted = to_floats(program, reference.run(program, to_integers(program, values, 1), 1), 1)
    assert torch.equal(torch.from_numpy(numpy.load(tmp_path / "output.npy")), wanted)


@pytest.mark.skipif(shutil.which("rustc") is None, reason="rustc isn't installed")
def test_rust(program: Program, tmp_path: Path) -> None:
    emit(program, tmp_path, name="model", vectors=[], storage=Storage.OBJECT)
    header = (tmp_path / "include" / "model.h").read_text()
    (source,) = re.findall(r"^```rust\n(.*?)^```$", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    for name in ("WEIGHTS_BYTES", "SAMPLE_ELEMENTS", "OUTPUT_ELEMENTS"):
        (number,) = re.findall(rf"#define MODEL_{name} (\d+)", header)
        source = source.replace(f"= MODEL_{name};", f"= {number};")
    # This program has a context as well, which the page's model has not.
    count = program.inputs[1].shape[1] * program.inputs[1].shape[2]
    source = source.replace("sample: *const i16, output", "sample: *const i16, context: *const i16, output")
    source = source.replace("sample.as_ptr(), output", f"sample.as_ptr(), [7i16; {count}].as_ptr(), output")
    (tmp_path / "main.rs").write_text(source)
    made = "make -s -j2 OPENMP=0 ARCH= CFLAGS=-O0 build/libmodel.a && rustc -L build main.rs && ./main"
    done = subprocess.run(made, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shape = program.inputs[0].shape
    sample = torch.arange(torch.Size(shape).numel()) % 200 - 100
    inputs = {
        program.inputs[0].name: sample.to(torch.int16).reshape(shape),
        program.inputs[1].name: torch.full(program.inputs[1].shape, 7, dtype=torch.int16),
    }
    wanted = reference.run(program, inputs, 0).flatten().tolist()
    assert [int(word) for word in done.stdout.split()] == wanted
