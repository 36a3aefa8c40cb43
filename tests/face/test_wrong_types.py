"""What Python hands in by mistake is refused in a sentence, whether as a model, an option or an input."""

from __future__ import annotations

from typing import Any

import pytest
import text_parts
import torch

import dgqc
from dgqc.execution.compiled_program import CompiledProgram
from dgqc.ir.errors import DgqcError

from .test_parts import compiled_whole

HALF = "a \ud800 circle"
"""Of a character; so a terminal hands over a byte that is no UTF-8."""


@pytest.mark.parametrize("model", [None, 42, {"conv_in.weight": torch.zeros(1)}, b"unet"])
def test_a_model_is_a_module_or_a_path(model: Any) -> None:
    with pytest.raises(DgqcError, match=r"The model is of type .*; give a diffusers UNet or pipeline"):
        dgqc.compile(model)


def test_a_text_encoder_alone_is_named() -> None:
    with pytest.raises(DgqcError, match=r"a CLIPTextModel; .* give the pipeline's folder"):
        dgqc.compile(text_parts.text_encoder())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_size": 8}, "sample_size is 8, but it is height and width"),
        ({"sample_size": "8x8"}, "sample_size is '8x8', but"),
        ({"sample_size": (-8, 8)}, "sample_size is .-8, 8., but"),
        ({"sample_size": ((8, 8), (8, 0))}, "sample_size is"),
        ({"timesteps": 3}, "timesteps is 3, but it is finite numbers"),
        ({"timesteps": "999"}, "timesteps is '999', but"),
        ({"timesteps": (float("nan"),)}, "timesteps is .nan,., but"),
        ({"pass_pipeline": ["gptq"]}, "pass_pipeline is .'gptq'., but a text is needed"),
        ({"text": 8}, "text is 8, but a text is needed"),
        ({"calibration": 3}, "The calibration is of type int"),
    ],
)
def test_options_are_of_their_kind(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DgqcError, match=message):
        dgqc.compile(text_parts.unet(), **options)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"sample": [1.0]}, "sample is .1.0., but a Tensor is needed"),
        ({"timestep": "1"}, "timestep is '1', but a Tensor or a finite number is needed"),
        ({"timestep": None, "step": "1"}, "step is '1', but a whole number is needed"),
    ],
)
def test_a_call_takes_tensors_and_a_number(
    program: CompiledProgram, inputs: dict[str, Any], message: str
) -> None:
    shapes = program.provenance.inputs
    good = {one.name: torch.zeros(one.shape) for one in shapes}
    given = {**good, "timestep": program.program.schedule.timesteps[0], **inputs}
    with pytest.raises(DgqcError, match=message):
        program(given.pop("sample"), given.pop("timestep"), **given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompt": None}, "prompt is None, but a text or a list of whole numbers or"),
        ({"prompt": 3}, "prompt is 3, but a text or a list of whole numbers or"),
        ({"prompt": HALF}, "The prompt's letter 3 is none of Unicode's"),
        ({"seed": -1}, "A seed is a whole number from 0 to 4294967295, but it was given as -1"),
        ({"seed": 2**32}, "A seed is"),
        ({"seed": "3"}, "seed is '3', but a whole number is needed"),
        ({"guidance_scale": "7"}, "guidance_scale is '7', but a finite number is needed"),
        ({"latents": torch.zeros(1, 4, 8, 8), "start": 9}, "No picture can begin with call 9; choose one of"),
    ],
)
def test_a_drawing_takes_text_and_numbers(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DgqcError, match=message):
        compiled_whole().draw(**{"prompt": "a circle", "backend": "reference", **options})
