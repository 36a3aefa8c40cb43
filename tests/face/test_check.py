"""`dgqc check`: what would become of a model, before any work."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import architectures
import pytest
import torch
from diffusers import UNet2DModel

from dgqc.frontends.capturing.rewriter import Refused
from dgqc.report import check as checking
from dgqc.report.check import check_model, lines
from dgqc.report.outside import components

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config.json without weights."""
    architectures.class_conditional().save_config(tmp_path)
    return tmp_path / "config.json"


def test_a_config_is_enough(run: Run, config: Path) -> None:
    code, output, error = run("check", str(config), "-O", "w8a8", "--steps", "10", "--json")
    assert (code, error) == (0, "")
    found = json.loads(output)
    assert found["compiles"]
    assert found["taken"].keys() == {"sample", "class_labels"}
    assert found["integers"]["conv2d"] > 10
    assert found["of_time"] > 3
    assert found["of_conditions"] > 0
    assert found["foreseen"]["memory"] > 2**28
    assert found["free_memory"] > 0 < found["free_disk"]
    assert found["call"] > 0
    assert found["schedule"] == "DDIMScheduler, 10 calls (assumed: the model came without a scheduler)"


def test_what_is_missing_is_exit_code_1(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    capture = checking.capture

    def lacking(*arguments: object, refused: list[Refused], **options: object) -> object:
        refused += [Refused("aten.sort.default", place, f"it can't stand in {place}") for place in "ab"]
        return capture(*arguments, refused=refused, **options)

    monkeypatch.setattr(checking, "capture", lacking)
    code, output, error = run("check", str(config))
    assert (code, error) == (1, "")
    shown = dict(lines(check_model(config, "w4a6", steps=25, target=None)))
    assert shown["NOT SUPPORTED: aten.sort.default and 1 more"] == "it can't stand in a Also in b."
    assert "aten.sort.default" in output


class Odd(torch.nn.Module):
    """A UNet between ops that have no integer form."""

    def __init__(self) -> None:
        super().__init__()
        self.unet = architectures.small()

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        found = self.unet(torch.cumsum(sample, -1), timestep, return_dict=False)[0]
        return torch.sort(found, -1)[0]


def test_what_comes_before_an_unsupported_op_is_counted_and_taken(run: Run, tmp_path: Path) -> None:
    inputs = (torch.zeros(1, 3, 8, 8), torch.tensor(5.0))
    torch.export.save(torch.export.export(Odd().eval(), inputs, strict=False), tmp_path / "odd.pt2")
    code, output, error = run("check", str(tmp_path / "odd.pt2"), "--json")
    assert (code, error) == (1, "")
    found = json.loads(output)
    assert [one["op"] for one in found["refused"]] == ["aten.cumsum.default", "aten.sort.default"]
    assert found["integers"]["conv2d"] == check_model_of_small(tmp_path)["conv2d"]
    assert found["of_time"] > 3
    assert found["taken"].keys() == {"sample"}
    assert found["left_out"] == []


class OfFrequencies(UNet2DModel):  # type: ignore[misc]
    def forward(self, sample: torch.Tensor, *others: Any, **options: Any) -> Any:
        return super().forward(torch.fft.fft2(sample).real, *others, **options)


def test_what_reads_a_refused_op_is_no_error_of_its_own() -> None:
    """Complex numbers can't be told from the real input that stands in their place."""
    model, refused = architectures.small(), list[Refused]()
    model.__class__ = OfFrequencies
    checking.capture(model, refused=refused)
    assert refused[0].op == "aten._to_copy.default"


@pytest.mark.parametrize(("seconds", "said"), [(0.0083, "8.3 ms"), (0.69, "690 ms"), (2.66, "2.7 s")])
def test_a_call_is_said_in_plain_numbers(config: Path, seconds: float, said: str) -> None:
    found = replace(check_model(config, "w8a8", steps=2, target=None), call=seconds)
    assert dict(lines(found))["a call of the program"] == f"about {said}, at this machine's int8 peak"


def check_model_of_small(folder: Path) -> dict[str, int]:
    architectures.small().save_config(folder)
    return dict(check_model(folder / "config.json", "w4a6", steps=25, target=None).integers)


def test_what_stays_outside_is_named_with_why(tmp_path: Path) -> None:
    index = {
        "_class_name": "APipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "text_encoder_2": ["transformers", "T5EncoderModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "vae": ["diffusers", "AutoencoderKL"],
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "image_encoder": [None, None],
        "requires_safety_checker": True,
    }
    found = components(index)
    assert found.compiled == ("text_encoder", "vae")
    assert found.outside == {
        "scheduler": "computes in float between calls; dgqc compile --loop own takes it in",
        "text_encoder_2": "a T5EncoderModel has no integer form",
        "safety_checker": "the pipeline calls this StableDiffusionSafetyChecker around the UNet",
    }
    assert list(components({}).outside) == ["scheduler"]


def test_too_little_room_is_missing_too(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "free_disk", lambda _: 1000)
    code, output, error = run("check", str(config))
    assert (code, error) == (1, "")
    assert "TOO LITTLE DISK" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-O", "w3a9"], "There is no preset"),
        (["--target", "fpga"], "There is no target"),
        (["--steps", "5000"], "can't take"),
    ],
)
def test_what_is_asked_is_looked_at_first(run: Run, config: Path, arguments: list[str], message: str) -> None:
    code, _, error = run("check", str(config), *arguments)
    assert code == 2
    assert message in error
