"""LCM-LoRA, Hyper-SD and Lightning: files in their published layouts, with random numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import text_parts
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from safetensors.torch import save_file
from torch import nn

import dgqc
from dgqc.frontends import load_model
from dgqc.frontends.adapters.adapter import Adapter

RANK = 4
ATTENTION = r"attn[12]\.to_(q|k|v|out\.0)|ff\.net\.(0\.proj|2)|proj_(in|out)"
CONVOLUTIONS = r"conv[12]|conv_shortcut|time_emb_proj|samplers\.0\.conv"
Run = Callable[..., tuple[int, str, str]]


@dataclass(frozen=True)
class Published:
    """A file as its authors publish it.

    layers: that it changes, as an expression over the ends of diffusers' names. alpha: of each layer.
    scheduler, guidance: what its authors call it with. timesteps: of four steps.
    """

    layers: str
    alpha: float
    scheduler: str
    guidance: float
    timesteps: tuple[float, ...]


FILES = {
    "lcm-lora-sdv1-5": Published(
        f"{ATTENTION}|{CONVOLUTIONS}", 8.0, "LCMScheduler", 1.0, (999.0, 759.0, 499.0, 259.0)
    ),
    "Hyper-SD15-4steps-lora": Published(
        f"{ATTENTION}|{CONVOLUTIONS}", 64.0, "TCDScheduler", 1.0, (999.0, 759.0, 499.0, 259.0)
    ),
    "lightning_4step_lora": Published(
        ATTENTION,
        4.0,
        "EulerDiscreteScheduler{timestep_spacing=trailing}",
        0.0,
        (999.0, 749.0, 499.0, 249.0),
    ),
}
"""All three have kohya's names."""


def tensors(file: Published, pipeline: Any) -> dict[str, torch.Tensor]:
    """Halves under the published names."""
    generator = torch.Generator().manual_seed(4)
    found: dict[str, torch.Tensor] = {}
    for name, layer in pipeline.unet.named_modules():
        if not isinstance(layer, nn.Linear | nn.Conv2d) or not re.search(rf"({file.layers})$", name):
            continue
        weight, flat = layer.weight, f"lora_unet_{name.replace('.', '_')}"
        ones = [1] * (weight.dim() - 2)
        down = 0.1 * torch.randn(RANK, *weight.shape[1:], generator=generator)
        up = 0.1 * torch.randn(weight.shape[0], RANK, *ones, generator=generator)
        found |= {f"{flat}.lora_down.weight": down.half(), f"{flat}.lora_up.weight": up.half()}
        found[f"{flat}.alpha"] = torch.tensor(file.alpha).half()
    return found


def pipeline() -> Any:
    """Two levels, so that there is a layer of each kind."""
    return StableDiffusionPipeline(
        vae=text_parts.vae(),
        text_encoder=text_parts.text_encoder(),
        tokenizer=text_parts.tokenizer(),
        unet=text_parts.unet(
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            block_out_channels=(8, 16),
        ),
        scheduler=DDIMScheduler(clip_sample=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("pipeline")
    pipeline().save_pretrained(place)
    return place


def written(name: str, place: Path) -> Path:
    save_file(tensors(FILES[name], pipeline()), place / f"{name}.safetensors")
    return place / f"{name}.safetensors"


def fused(file: Path, strength: float) -> Any:
    """What diffusers and peft make of a file."""
    found = pipeline()
    found.load_lora_weights(file.parent, weight_name=file.name)
    found.fuse_lora(lora_scale=strength)
    found.unload_lora_weights()
    return found


@pytest.mark.parametrize("name", FILES)
def test_merged_as_diffusers_and_peft_merge(name: str, folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    file = written(name, tmp_path)
    expected = fused(file, 0.75)
    loaded = load_model(folder, adapters=[Adapter(file, 0.75)])
    assert loaded.pipeline is not None
    found = loaded.pipeline.load({"unet": loaded.model})
    ours, theirs, plain = (one.unet.state_dict() for one in (found, expected, pipeline()))
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        torch.testing.assert_close(ours[key], value, rtol=1e-3, atol=1e-4)
    moved = [key for key in ours if not torch.equal(ours[key], plain[key])]
    assert len(moved) == len(tensors(FILES[name], pipeline())) // 3


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_four_steps_from_file_to_pictures(name: str, folder: Path, tmp_path: Path, run: Run) -> None:
    pytest.importorskip("peft")
    file, published = written(name, tmp_path), FILES[name]
    options = (
        "--steps",
        "4",
        "--guidance-scale",
        str(published.guidance),
        "--scheduler",
        published.scheduler,
    )
    place = tmp_path / "out.dgqc"
    fast = ("-O", "w8a8,rounding=nearest", "--samples", "8", "--parts", "unet")
    code, out, err = run("compile", folder, "--lora", file, *options, *fast, "-o", place)
    assert code == 0, err
    assert "4 calls of" in out
    manifest = json.loads((place / "manifest.json").read_text())
    assert tuple(manifest["schedule"]["timesteps"]) == published.timesteps
    program = dgqc.load(place)

    def drawn(whole: Any) -> torch.Tensor:
        whole.set_progress_bar_config(disable=True)
        found: torch.Tensor = whole(
            "a red square",
            num_inference_steps=4,
            guidance_scale=published.guidance,
            generator=torch.Generator().manual_seed(5),
            output_type="latent",
        ).images
        return found

    whole = fused(file, 1.0)
    kind, _, told = published.scheduler.partition("{")
    more = dict(one.split("=") for one in told.rstrip("}").split(",") if one)
    diffusers: Any = pytest.importorskip("diffusers")
    whole.scheduler = getattr(diffusers, kind).from_config(whole.scheduler.config, **more)
    expected = drawn(whole)
    whole.unet = program.as_diffusers_unet(whole.unet, backend="reference")
    assert (drawn(whole) - expected).norm() < 0.1 * expected.norm()
