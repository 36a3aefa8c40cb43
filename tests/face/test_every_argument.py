"""Every argument of the Python API, given whatever it could be given by mistake: it is taken, or refused in a
sentence of dgqc's own, and nothing else is ever raised."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import architectures
import numpy
import pytest
import torch

import dgqc
from dgqc.execution.boundary import to_integers
from dgqc.execution.compiled_program import CompiledProgram
from dgqc.execution.pictures import drawing_of
from dgqc.execution.ready import ReadyBackends
from dgqc.frontends.calibrating.recorder import Recorder
from dgqc.ir.errors import DgqcError
from dgqc.passes.manager.manager import PassManager

from .test_parts import compiled_whole, pipeline

PICTURE = (1, 4, 8, 8)
MISTAKES: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**400,
    1.5,
    math.nan,
    numpy.int64(3),
    numpy.float32("nan"),
    numpy.zeros(2),
    "",
    "x",
    "a\0b",
    "a \ud800 circle",
    b"x",
    [],
    [None],
    ["x"],
    {"x": 3},
    {3: None},
    Path(__file__),
    Path(__file__).parent,
    Path(__file__).parent / "missing",
    Path("a\0b"),
    object(),
    torch.float16,
    torch.zeros(()),
    torch.zeros(2),
    torch.full(PICTURE, math.nan),
    torch.zeros(PICTURE, dtype=torch.int64),
    torch.zeros(PICTURE, dtype=torch.complex64),
    torch.empty(PICTURE, device="meta"),
    torch.nn.Linear(1, 1),
)
SEVERAL = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
DROP_IN = ("backend", "allow_nearest_step", "dtype")
FUNCTIONS = ("progress", "say", "watch")
"""Arguments that are called; what they raise then is the user's own."""
METHODS = "CompiledProgram."


@dataclass(frozen=True)
class Door:
    """What users call. good: arguments that it takes; more: those that its signature doesn't name."""

    call: Callable[..., Any]
    good: Mapping[str, Any]
    more: tuple[str, ...] = ()

    def mistakes(self) -> Iterator[dict[str, Any]]:
        """One argument wrong at a time, and one that there isn't."""
        found = inspect.signature(self.call).parameters.values()
        names = [one.name for one in found if one.kind not in SEVERAL]
        for name in (*names, *self.more):
            yield from ({name: one} for one in MISTAKES if not (name in FUNCTIONS and callable(one)))
        yield {"nonsense": 3}


def doors_of(program: CompiledProgram, whole: CompiledProgram, folder: Path) -> dict[str, Door]:
    """All of them by name."""
    model, quick = architectures.small(), {"backend": "reference"}
    inputs = {one.name: torch.zeros(one.shape) for one in program.provenance.inputs}
    context = {one.name: torch.zeros(one.shape) for one in whole.provenance.inputs if one.name != "sample"}
    codes = {name: one.to(torch.int16) for name, one in context.items()}
    drawing = drawing_of(whole.program, codes, None, 1.0, 0, None, None, 0)
    unet = program.as_diffusers_unet(model, **quick)
    call, integers = {**inputs, "step": 0}, to_integers(program.program, inputs, 0)
    with dgqc.recording(model) as recorder:
        model(inputs["sample"], 1)
    asked = {"model": model, "calibration": recorder.calibration("here"), "check": False, "look_ahead": False}
    drawn = ("negative", "guidance_scale", "latents", "start", "noise", "backend", "progress")
    saved = ("weights", "prefix", "instruments", "verify_each", "watch")
    methods = {
        "run": Door(program.run, {**call, **quick}),
        "answer": Door(program.answer, {"inputs": inputs, "step": 0, **quick}),
        "run_integers": Door(program.run_integers, {"inputs": integers, "step": 0, **quick}),
        "part": Door(whole.part, {"name": "decoder"}),
        "at": Door(program.at, {"size": "8x8"}),
        "with_parts": Door(program.with_parts, {"parts": {}}),
        "contents": Door(program.contents, {}),
        "draw": Door(whole.draw, {"prompt": "a circle", **quick}, drawn),
        "draw_sample": Door(whole.draw_sample, {"seed": 0, **context, **quick}),
        "draw_integers": Door(whole.draw_integers, {"drawing": drawing, **quick}),
        "build": Door(program.build, quick),
        "save": Door(program.save, {"directory": folder / "b.dgqc", "targets": ()}, saved),
        "as_diffusers_unet": Door(program.as_diffusers_unet, {"unet": model}, DROP_IN),
        "as_diffusers_pipeline": Door(whole.as_diffusers_pipeline, {"pipeline": pipeline()}, DROP_IN),
        "as_diffusers_controlnet": Door(program.as_diffusers_controlnet, {"controlnet": model}, ("backend",)),
        "as_diffusers_adapter": Door(program.as_diffusers_adapter, {"adapter": model}, ("backend",)),
    }
    made = {"program": program.program, "provenance": program.provenance, "report": {}}
    return {
        **{METHODS + name: door for name, door in methods.items()},
        "CompiledProgram": Door(CompiledProgram, made),
        "called": Door(program, call),
        "CompiledUNet": Door(dgqc.CompiledUNet, {"program": program, "unet": model}, DROP_IN),
        "CompiledUNet.forward": Door(unet.forward, {"sample": inputs["sample"], "timestep": 1, "step": 0}),
        "CompiledUNet.save_pretrained": Door(unet.save_pretrained, {"save_directory": folder / "u.dgqc"}),
        "CompiledUNet.to": Door(unet.to, {}, ("device", "dtype")),
        "DgqcConfig": Door(dgqc.DgqcConfig, {}),
        "compile": Door(dgqc.compile, asked),
        "export_quantize_dequantize": Door(dgqc.export_quantize_dequantize, asked),
        "load": Door(dgqc.load, {"directory": folder}),
        "load_calibration": Door(dgqc.load_calibration, {"path": folder}),
        "recording": Door(_recorded, {"unet": model}),
        "Recorder.calibration": Door(recorder.calibration, {"origin": "here"}),
    }


def _recorded(unet: Any, expected: Any = 0, progress: Any = None, **others: Any) -> Recorder:
    with dgqc.recording(unet, expected, progress, **others) as found:
        return found


@pytest.fixture(scope="module")
def doors(program: CompiledProgram, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Door]:
    return doors_of(program, compiled_whole(), tmp_path_factory.mktemp("doors"))


@pytest.fixture(autouse=True)
def _nothing_long(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is asked is what stands before the first pass, and before the first step of a drawing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(PassManager, "run", _got_there)
    monkeypatch.setattr(ReadyBackends, "drawer", lambda *_: _got_there)


def _got_there(*_: Any, **__: Any) -> Any:
    raise DgqcError("All arguments were taken.")


NAMES = (
    *(METHODS + name for name in vars(CompiledProgram) if inspect.isfunction(vars(CompiledProgram)[name])),
    *("CompiledUNet.forward", "CompiledUNet.save_pretrained", "CompiledUNet.to", "called"),
    *(name for name in dgqc.__all__ if name != "DgqcError"),
    "Recorder.calibration",
)


@pytest.mark.parametrize("name", [name for name in NAMES if "._" not in name])
def test_what_is_wrong_is_said_in_a_sentence(name: str, doors: dict[str, Door]) -> None:
    said, raised = [], []
    for wrong in doors[name].mistakes():
        try:
            doors[name].call(**{**doors[name].good, **wrong})
        except DgqcError as error:
            said.append(str(error))
        except Exception as error:
            raised.append(f"{wrong}: {type(error).__name__}: {error}")
    assert not raised
    assert [one for one in said if "\n" in one or not one.endswith(".")] == []
