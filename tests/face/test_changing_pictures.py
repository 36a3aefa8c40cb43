"""Pipelines that change pictures: calibrated on the user's own, compiled, late starts included."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import text_parts
import torch
from PIL import Image

import dgqc
from dgqc.compiler.callers import caller_of
from dgqc.compiler.prepare import known_of
from dgqc.compiler.request import Request
from dgqc.frontends import calibrate
from dgqc.frontends.calibrating.pictures import read_pictures
from dgqc.ir.errors import DgqcError

Run = Callable[..., tuple[int, str, str]]


def pipeline(kind: str, channels: int, **options: Any) -> Any:
    """A pipeline of a class of diffusers', around the smallest parts."""
    parts = {
        "vae": text_parts.vae(),
        "text_encoder": text_parts.text_encoder(),
        "tokenizer": text_parts.tokenizer(),
        "unet": text_parts.unet(in_channels=channels, **options),
        "scheduler": diffusers.DDIMScheduler(),
        "safety_checker": None,
        "feature_extractor": None,
    }
    if kind == "StableDiffusionUpscalePipeline":
        parts["low_res_scheduler"] = diffusers.DDPMScheduler()
        return diffusers.StableDiffusionUpscalePipeline(**parts)
    if kind == "StableDiffusionLatentUpscalePipeline":
        del parts["safety_checker"], parts["feature_extractor"]
        scheduler = diffusers.EulerDiscreteScheduler(prediction_type="original_sample")
        return diffusers.StableDiffusionLatentUpscalePipeline(**{**parts, "scheduler": scheduler})
    return getattr(diffusers, kind)(**parts, requires_safety_checker=False)


KINDS: dict[str, Callable[[], Any]] = {
    "image to image": lambda: pipeline("StableDiffusionImg2ImgPipeline", 4),
    "inpainting": lambda: pipeline("StableDiffusionInpaintPipeline", 9),
    "inpainting with a plain model": lambda: pipeline("StableDiffusionInpaintPipeline", 4),
    "instruct-pix2pix": lambda: pipeline("StableDiffusionInstructPix2PixPipeline", 8),
    "upscaling": lambda: pipeline("StableDiffusionUpscalePipeline", 7, num_class_embeds=400),
    "upscaling latents": lambda: pipeline(
        "StableDiffusionLatentUpscalePipeline",
        8,
        out_channels=5,
        time_embedding_type="fourier",
        time_cond_proj_dim=128 + text_parts.WIDTH,
    ),
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures, one with a mask."""
    folder = tmp_path_factory.mktemp("pictures")
    Image.effect_noise((40, 30), 60).convert("RGB").save(folder / "a.png")
    Image.radial_gradient("L").convert("RGBA").save(folder / "b.png")
    Image.linear_gradient("L").save(folder / "b.mask.png")
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_calibrated_on_pictures(kind: str, pictures: Path, tmp_path: Path) -> None:
    whole = KINDS[kind]()
    found = calibrate(whole, ["a red square", "a circle"], 4, tmp_path / "c.safetensors", pictures=pictures)
    assert found.origin.endswith(f"through {type(whole).__name__}, with 2 pictures")
    batches = [one["sample"] for one in found.read(0)]
    assert {one.shape[1] for one in batches} == {whole.unet.config.in_channels}
    assert all(torch.isfinite(one).all() for one in batches)
    assert not torch.equal(*batches)


def test_late_starts(pictures: Path, tmp_path: Path) -> None:
    whole = KINDS["image to image"]()
    place, given = tmp_path / "c.safetensors", (1.0, 0.3)
    calls = {
        one: calibrate(whole, ["a"], 10, place, pictures=pictures, strength=one).schedule for one in given
    }
    assert len(calls[1.0]) == 10
    assert calls[0.3].timesteps == calls[1.0].timesteps[-3:]


def test_compiled_from_pictures(pictures: Path) -> None:
    whole = KINDS["inpainting"]()
    request = Request(whole, pictures=pictures, strength=0.5, steps=4, samples=2)
    caller = caller_of(request, known_of(request), None)
    assert caller.drawings is not None
    assert len(caller.schedule) == 2
    how = {"strength": 0.5, "steps": 4, "samples": 2, "parts": "unet"}
    program = dgqc.compile(whole, "w8a8", pictures=pictures, **how)
    assert program.provenance.calibration.endswith("with 2 pictures, seed 0")
    assert not program.provenance.synthetic
    (one, _) = read_pictures(pictures)
    options = {"image": one.fitted(16, 16), "mask_image": one.fitted_mask(16, 16, 1), "strength": 0.5}

    def drawn() -> torch.Tensor:
        generator = torch.Generator().manual_seed(3)
        found: torch.Tensor = whole(
            "a circle", generator=generator, num_inference_steps=4, output_type="latent", **options
        ).images
        return found

    expected = drawn()
    whole.unet = program.as_diffusers_unet(whole.unet, backend="reference")
    assert (drawn() - expected).norm() < 0.1 * expected.norm()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "StableDiffusionImg2ImgPipeline changes pictures; give a folder of some with --pictures"),
        ({"pictures": "nowhere"}, "nowhere is no folder; give a folder of pictures"),
        ({"pictures": "pictures", "strength": 1.5}, "The strength is 1.5, but it is above 0 and at most 1"),
    ],
)
def test_refusals(options: dict[str, Any], message: str, pictures: Path, tmp_path: Path) -> None:
    given = {**options, **({"pictures": pictures} if options.get("pictures") == "pictures" else {})}
    with pytest.raises(DgqcError, match=message):
        calibrate(KINDS["image to image"](), ["a"], 4, tmp_path / "c.safetensors", **given)


def test_folders_that_hold_none(tmp_path: Path) -> None:
    with pytest.raises(DgqcError, match="holds no pictures"):
        read_pictures(tmp_path)
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(DgqcError, match=r"a\.png can't be read"):
        read_pictures(tmp_path)


def test_pictures_for_a_pipeline_without(pictures: Path, tmp_path: Path) -> None:
    whole = pipeline("StableDiffusionPipeline", 4)
    with pytest.raises(DgqcError, match="StableDiffusionPipeline takes no pictures; leave --pictures out"):
        calibrate(whole, ["a"], 2, tmp_path / "c.safetensors", pictures=pictures)
    with pytest.raises(DgqcError, match="takes no strength; leave it out"):
        calibrate(whole, ["a"], 2, tmp_path / "c.safetensors", strength=0.5)
