"""Every option of a compile is declared once, and whoever needs it finds it there."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import ClassVar

import architectures
import numpy as np
import pytest
import torch

import dgqc
from dgqc.compiler.driver import lower
from dgqc.compiler.option import option_of
from dgqc.compiler.request import Request
from dgqc.execution.compiled_program import CompiledProgram
from dgqc.frontends.calibrating.select_samples import Selection
from dgqc.ir.drawing import MOST_GUIDANCE
from dgqc.ir.errors import DgqcError
from dgqc.ir.plans import PlacedOperand
from dgqc.passes.activations.grouping import Grouping, in_order
from dgqc.passes.manager import pipeline as pipelines
from dgqc.passes.manager import register_pass
from dgqc.passes.manager.presets import pipeline_for
from dgqc.report.report import report_on
from dgqc.report.widths import Widths, decided

Run = Callable[..., tuple[int, str, str]]
FIELDS = {one.name: option_of(one) for one in fields(Request)}


@pytest.mark.parametrize("name", FIELDS)
def test_an_option_stands_in_pythons_signature_and_documentation(name: str) -> None:
    declared = {one.name: one for one in fields(Request)}[name]
    taken = inspect.signature(dgqc.compile).parameters[name]
    if declared.default_factory is MISSING:
        assert taken.default in (declared.default, inspect.Parameter.empty)
    else:
        assert taken.default is not inspect.Parameter.empty
    assert f"\n{name}: {FIELDS[name].help}" in (inspect.getdoc(dgqc.compile) or "")


def test_a_command_line_shows_every_option(run: Run) -> None:
    _, out, _ = run("compile", "--help")
    shown = " ".join(out.split())
    assert "dgqc compile [OPTIONS] {MODEL} " in shown
    for name, option in FIELDS.items():
        for flag in option.flags:
            assert f"{flag} " in shown or f"{flag}, " in shown
        if option.flags or option.metavar:
            assert option.help in shown
        else:
            assert name in ("drawn", "instruments", "output")


def test_a_manifest_records_every_option_but_those_marked(program: CompiledProgram, saved: Path) -> None:
    asked = json.loads((saved / "manifest.json").read_text())["request"]
    assert set(asked) == {name for name, option in FIELDS.items() if option.recorded}
    assert (asked["opt"], asked["steps"], asked["samples"]) == ("w4a6", 3, 2)
    assert dgqc.load(saved).provenance == program.provenance


def test_an_option_that_is_recorded_makes_another_key() -> None:
    one = Request("model")
    assert one.recorded() != replace(one, seed=1).recorded()
    assert one.recorded() == replace(one, verify_each=False).recorded()
    assert json.loads(json.dumps(replace(one, sample_size=(8, 16)).recorded()))["sample_size"] == [8, 16]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "steps is 0, but at least 1 is needed"),
        ({"calib_samples": 0}, "calib_samples is 0"),
        ({"calib_select": "best"}, "'best', but it is one of all, uniform, tdac"),
        ({"steps": "25"}, "steps is '25', but a whole number is needed"),
        ({"samples": 2.0}, "samples is 2.0, but a whole number is needed"),
        ({"batch_size": True}, "batch_size is True, but a whole number is needed"),
        ({"seed": 2**32}, "seed is 4294967296, but at most 4294967295 is possible"),
        ({"guidance_scale": float("nan")}, "guidance_scale is nan, but a finite number is needed"),
        ({"guidance_scale": 1e30}, "guidance_scale is 1e.30, but at most 32767 is possible"),
        ({"opt": 4}, "opt is 4, but a text is needed"),
        ({"check": "off"}, "check is 'off', but True or False is needed"),
    ],
)
def test_values_out_of_place_are_refused_in_python_too(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(DgqcError, match=message):
        Request("model", **wrong)  # type: ignore[arg-type]


def test_numbers_of_numpy_are_numbers() -> None:
    assert Request("model", steps=np.int64(3), guidance_scale=np.float32(2)).steps == 3  # type: ignore[arg-type]


def test_a_calibration_is_drawn_with_what_a_drawing_takes() -> None:
    assert FIELDS["guidance_scale"].most == MOST_GUIDANCE


def test_the_choices_are_those_that_there_are() -> None:
    assert FIELDS["calib_select"].choices == tuple(Selection)


def test_a_pipeline_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    whole = pipelines.parse_pipeline

    def noted(text: str) -> object:
        read.append(text)
        return whole(text)

    monkeypatch.setattr(pipelines, "parse_pipeline", noted)
    model = architectures.small()
    lower(Request(model, "w8a8", steps=1, samples=1, stop_after="insert-sites"))
    assert read == [pipeline_for("w8a8")]


@register_pass
@dataclass(frozen=True)
class EvenGroups(Grouping):
    """Gives every group as many indices, in their order: a grouping that no report knows."""

    name: ClassVar[str] = "even-groups"

    def assign(self, plan: PlacedOperand) -> torch.Tensor:
        count = plan.ranges.low.shape[1]
        return in_order((torch.arange(count) * min(self.groups, count) // count).numpy())


def test_a_report_reads_groups_and_widths_from_the_plans() -> None:
    passes = pipeline_for("w8a6g4,rounding=nearest").replace(
        "error-groups{groups=4}", "even-groups{groups=3}"
    )
    model = architectures.unconditional()
    summary = dgqc.compile(model, pass_pipeline=passes, steps=1, samples=1, check=False).report["summary"]
    wanted = Widths(weight_bits=8, activation_bits=6, edge_bits=8, edge_activation_bits=8, groups=3)
    assert {name: summary[name] for name in wanted.to_json()} == wanted.to_json()
    assert set(summary["probabilities"].values()) <= {"log2", "uniform"}


def test_a_report_on_a_model_asks_the_passes(model_folder: Path) -> None:
    passes = pipeline_for("w4a6").replace("error-groups{groups=8}", "even-groups{groups=16}")
    found = report_on(
        model_folder, "w4a6", steps=3, sample_size=None, context_length=None, pass_pipeline=passes
    )
    assert (found["groups"], found["weight_bits"], found["activation_bits"]) == (16, 4, 6)
    assert found["opt"] == "custom"


@pytest.mark.parametrize(
    ("opt", "wanted"),
    [
        ("w4a6g16", Widths(4, 6, 8, 8, 16)),
        ("naive-w8a4", Widths(8, 4, 8, 8, 1)),
        ("w4a6,edges=16", Widths(4, 6, 8, 16, 8)),
        ("dgq-exact-w4a6", Widths(4, 6, 8, 16, 8)),
    ],
)
def test_what_options_settle(opt: str, wanted: Widths) -> None:
    assert decided(Request("model", opt).passes) == wanted
