"""Models of videos and sounds: what they are called with, and what is captured of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import videos
from torch import nn

from dgqc.frontends import ExportedUNet, calibrate, capture, config_only, load_model
from dgqc.frontends.loading.arguments import call_arguments, named_arguments
from dgqc.frontends.loading.model_inputs import model_inputs
from dgqc.frontends.loading.sample_sizes import own_frames
from dgqc.ir.errors import DgqcError

from .captured_graph import run

TIME = 37.0
SLOW = ("kandinsky 3", "sounds", "text to video")


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=[pytest.mark.slow] if one in SLOW else []) for one in videos.MODELS]
)
def test_captured(name: str) -> None:
    make, size = videos.MODELS[name]
    unet = make()
    torch.manual_seed(1)
    inputs = {
        one.name: torch.randn(one.shape)
        for one in model_inputs(unet, size, videos.TOKENS)
        if one.name != "timestep"
    }
    if "encoder_attention_mask" in inputs:
        inputs["encoder_attention_mask"] = (torch.arange(videos.TOKENS) < 4).float()[None]
    program = capture(unet, sample_size=size, context_length=videos.TOKENS)
    with torch.no_grad():
        arguments = call_arguments({**inputs, "timestep": torch.tensor([TIME])}, unet)
        expected = unet(**arguments, return_dict=False)[0]
    torch.testing.assert_close(run(program, inputs, TIME), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        ((3, 1, 1), {"padding": (1, 0, 0)}),
        ((3, 1, 1), {"padding": (2, 0, 0), "dilation": (2, 1, 1), "stride": (2, 1, 1)}),
        ((1, 3, 3), {"padding": (0, 1, 1), "stride": (1, 2, 2)}),
        ((3, 3, 3), {"padding": 1}),
        ((2, 3, 3), {"stride": (2, 1, 1), "bias": False}),
    ],
)
@pytest.mark.parametrize("decompose", [False, True])
def test_convolutions_of_videos(kernel: tuple[int, ...], options: dict[str, Any], decompose: bool) -> None:
    class Video(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Conv3d(4, 6, kernel, **options), nn.Conv3d(6, 4, 1)

        def forward(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.last(torch.relu(self.first(sample)))
            return found

    torch.manual_seed(0)
    model, sample, time = Video().eval(), torch.randn(1, 4, 4, 6, 6), torch.tensor([TIME])
    exported = torch.export.export(model, (sample, time))
    program = capture(ExportedUNet(exported.run_decompositions() if decompose else exported))
    with torch.no_grad():
        found = program.graph(sample=sample, timestep=time)
        torch.testing.assert_close(found, model(sample, time), rtol=1e-4, atol=1e-5)


def test_one_context_for_all_frames() -> None:
    sample, context = torch.zeros(2, 4, *videos.VIDEO), torch.randn(2, 5, 6)
    given = {"sample": sample, "encoder_hidden_states": context.repeat_interleave(videos.FRAMES, 0)}
    inputs, unknown = named_arguments(given)
    assert not unknown
    assert torch.equal(inputs["encoder_hidden_states"], context)
    given["encoder_hidden_states"] = torch.randn(2 * videos.FRAMES, 5, 6)
    with pytest.raises(DgqcError, match="prompts of their own"):
        named_arguments(given)


def test_loaded_from_a_folder(tmp_path: Path) -> None:
    videos.motion().save_pretrained(tmp_path / "unet")
    loaded = load_model(tmp_path / "unet")
    assert type(loaded.model).__name__ == "UNetMotionModel"
    assert model_inputs(loaded.model, None, 5)[0].shape == (1, 4, 8, 8, 8)
    assert model_inputs(videos.text_to_video(), None, 5)[0].shape == (1, 4, 16, 8, 8)
    assert model_inputs(loaded.model, (5, 4, 6), 5)[0].shape == (1, 4, 5, 4, 6)
    assert model_inputs(videos.sounds(), None, 5)[0].shape == (1, 2, videos.LENGTH)


@pytest.mark.parametrize(
    ("make", "size", "kind"),
    [
        (videos.motion, (1, 2, 3, 4), "frames x height x width"),
        (videos.motion, (9, 8, 8), "trained for up to 8"),
        (videos.sounds, (2, 32), "1 x length"),
    ],
)
def test_wrong_sizes_are_refused(make: Any, size: tuple[int, ...], kind: str) -> None:
    with pytest.raises(DgqcError, match=re.escape(kind)):
        model_inputs(make(), size, 5)


def test_frames_are_those_that_are_said(tmp_path: Path) -> None:
    """By whoever calibrates, then by the pipeline, as far as there are positions."""
    pipeline = videos.animatediff(videos.motion())
    given = ["a red square"], 1, tmp_path / "c.safetensors"
    found = calibrate(pipeline, *given, sample_size=videos.VIDEO)
    assert next(found.read(0))["sample"].shape[2:] == videos.VIDEO
    found = calibrate(pipeline, *given)
    assert next(found.read(0))["sample"].shape[2:] == (8, *videos.VIDEO[1:])
    assert [own_frames(pipeline.unet, wanted) for wanted in (None, 5, 20)] == [8, 5, 8]


def test_a_motion_adapter_alone(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"_class_name": "MotionAdapter"}))
    with pytest.raises(DgqcError, match="put this one into a UNet"):
        config_only(tmp_path)
