"""Published UNets at reduced width: captured, lowered to integers, or refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from public_configurations import COMPILED, REFUSED, Config, reduced
from public_videos import SIZES

from dgqc.frontends import UNSCHEDULED, capture, config_only
from dgqc.frontends.loading.answering import answer_of
from dgqc.frontends.loading.guidance import with_guidance
from dgqc.frontends.loading.interface import check_interface
from dgqc.frontends.loading.model_inputs import model_inputs
from dgqc.frontends.loading.pipeline_facts import PipelineFacts
from dgqc.ir.errors import DgqcError
from dgqc.ir.masks import MASKS

from .captured_graph import run

TOKENS, TIMESTEP = 5, 321.0
ALWAYS = ("LCM_Dreamshaper_v7", "audioldm", "IF-I-XL-v1.0", "kandinsky-2-2-controlnet-depth")
"""What other tests don't capture; the others take minutes together."""


def built(config: Config) -> Any:
    """A UNet of this config with random weights."""
    torch.manual_seed(0)
    options = {key: value for key, value in config.items() if key != "_class_name"}
    return getattr(diffusers, config["_class_name"])(**options).eval()


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=[] if one in ALWAYS else pytest.mark.slow) for one in COMPILED]
)
def test_captured(name: str) -> None:
    config = reduced(COMPILED[name])
    unet, size = with_guidance(built(config), 8.5), SIZES.get(config["_class_name"])
    check_interface(unet.config, PipelineFacts(), name)  # type: ignore[arg-type]
    inputs = {
        one.name: torch.rand(one.shape).round()
        if one.name in MASKS
        else torch.randn(one.shape)
        if one.dtype.is_floating_point
        else torch.tensor([3])
        for one in model_inputs(unet, size, TOKENS)
        if one.name != "timestep"
    }
    program = capture(unet, sample_size=size, context_length=TOKENS)
    with torch.no_grad():
        expected = answer_of(unet, inputs, torch.tensor([TIMESTEP]))
    taken = {one.name: inputs[one.name] for one in program.inputs}
    torch.testing.assert_close(run(program, taken, TIMESTEP), expected, rtol=1e-3, atol=1e-4)
    assert program.schedule == UNSCHEDULED


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line(name: str, tmp_path: Path) -> None:
    config, message = REFUSED[name]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(DgqcError) as caught:
        config_only(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_at_least_twenty() -> None:
    assert len(COMPILED) >= 20
