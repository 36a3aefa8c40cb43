"""`dgqc check`: what would become of a model, before any work."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import architectures
import pytest

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
