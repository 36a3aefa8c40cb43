"""Programs with a denoising loop: compiled, saved, drawn, verified; and what has none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import dgqc
from dgqc.bundle.vectors import noise_of
from dgqc.compiler.loop_tables import tabulate
from dgqc.execution.compiled_program import CompiledProgram
from dgqc.frontends.samplers import sampler_for
from dgqc.ir.drawing import Drawing
from dgqc.ir.errors import DgqcError
from dgqc.ir.sampler import StepFactors
from dgqc.passes.manager.presets import pipeline_for

from .conftest import compiled_small

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def drawing() -> CompiledProgram:
    """Class-conditioned, with DDIM."""
    return compiled_small("class_conditional", loop="ddim")


def test_labels_are_the_codes_of_each_class(drawing: CompiledProgram) -> None:
    loop = drawing.program.loop
    assert loop is not None
    assert loop.labels is not None
    name, codes = loop.labels.input, loop.labels.codes
    assert codes.shape == (10, *drawing.program.inputs[1].shape)
    assert len(codes.flatten(1).unique(dim=0)) == 10
    label = torch.tensor([7])
    by_label = drawing.draw_sample(3, class_labels=label, backend="reference")
    picture = drawing.draw_integers(Drawing(noise_of(3, 1, (1, 3, 8, 8)), {name: codes[7]}), backend="c")
    assert torch.equal(by_label * 4096, picture.float())


def test_a_saved_program_draws_the_same(drawing: CompiledProgram, tmp_path: Path) -> None:
    loaded = dgqc.load(drawing.save(tmp_path / "drawing.dgqc"))
    label = torch.tensor([2])
    pictures = [program.draw_sample(5, class_labels=label) for program in (drawing, loaded)]
    assert torch.equal(*pictures)
    assert not torch.equal(pictures[0], drawing.draw_sample(6, class_labels=label))
    assert json.loads((tmp_path / "drawing.dgqc" / "manifest.json").read_text())["request"]["loop"] == "ddim"


def test_verify_compares_a_drawing(drawing: CompiledProgram, tmp_path: Path, run: Run) -> None:
    bundle = drawing.save(tmp_path / "drawing.dgqc")
    code, out, _ = run("verify", bundle, "--backends", "c", "--json")
    assert (code, json.loads(out)["drawing"]) == (0, True)
    code, out, _ = run("verify", bundle, "--backends", "c", "--steps-sampled", 2, "--json")
    assert (code, json.loads(out)["drawing"]) == (0, False)


def test_text_conditioned_programs_draw_too() -> None:
    compiled = compiled_small("one_transformer", "naive-w8a8", loop="ddim")
    assert compiled.program.loop is not None
    assert compiled.program.loop.labels is None
    wanted = compiled.program.inputs[1].shape
    context = torch.randn(wanted, generator=torch.Generator().manual_seed(0))
    reference, c = (compiled.draw_sample(1, context, backend=backend) for backend in ("reference", "c"))
    assert torch.equal(reference, c)


CORRECTED = pipeline_for("naive-w8a8").replace("measure-error", "correct-schedule,measure-error")


def test_a_corrected_schedule_is_the_loop_s_tables() -> None:
    """Two coefficients of each call are other numbers; all backends draw by them."""
    fixed = compiled_small("small", pass_pipeline=CORRECTED, loop="own")
    program, found = fixed.program, fixed.report["correct-schedule"]
    assert program.loop is not None
    assert program.step_factors is None
    scales = program.inputs[0].scale, program.output_scale
    factors = StepFactors(tuple(found["state"]), tuple(found["answer"]))
    sampler = sampler_for("own", None, program.schedule)
    wanted, before = (tabulate(one, *scales) for one in (sampler.times(factors), sampler))
    for name, table in program.loop.tables.items():
        assert torch.equal(table, wanted.tables[name]), name
    assert not torch.equal(wanted.next, before.next)
    reference, c = (fixed.draw_sample(1, backend=backend) for backend in ("reference", "c"))
    assert torch.equal(reference, c)


def test_a_corrected_schedule_needs_a_loop() -> None:
    with pytest.raises(DgqcError, match="a program does that in a loop alone; ask for one with --loop own"):
        compiled_small("small", pass_pipeline=CORRECTED)


def test_refuses(run: Run, program: CompiledProgram, model_folder: Path, tmp_path: Path) -> None:
    code, _, error = run("compile", model_folder, "--loop", "euler", "-o", tmp_path / "out")
    assert code == 2
    assert (
        "The denoising loop euler takes a EulerDiscreteScheduler, but the program is called by a DDIM"
        in error
    )
    with pytest.raises(DgqcError, match="compile it with --loop own"):
        program.draw_sample(1)
