"""Embeddings of prompts in the place of a tokenizer, and of faces for an IP-Adapter that reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import numpy
import picture_adapters
import pytest
import text_parts
import torch
from safetensors.torch import save_file

import dgqc
from dgqc.frontends import calibrate
from dgqc.frontends.adapters.picture_adapters import picture_adapters_of
from dgqc.ir.errors import DgqcError

Run = Callable[..., tuple[int, str, str]]
STEPS = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline without a text encoder, as those come who have embeddings."""
    place = tmp_path_factory.mktemp("pipeline")
    diffusers.StableDiffusionPipeline(
        vae=text_parts.vae(),
        text_encoder=None,
        tokenizer=None,
        unet=text_parts.unet(),
        scheduler=diffusers.DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(place)
    return place


def prompts(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, text_parts.TOKENS, text_parts.WIDTH, generator=generator)


def test_prompts_without_a_tokenizer(folder: Path, run: Run, tmp_path: Path) -> None:
    file, recorded = tmp_path / "prompts.safetensors", tmp_path / "c.safetensors"
    save_file({"prompt_embeds": prompts(3), "negative_prompt_embeds": prompts(1, 1)}, str(file))
    asked = ("--embeddings", file, "--steps", STEPS)
    code, out, err = run("calibrate", folder, *asked, "-o", recorded)
    assert code == 0, err
    assert "3 embeddings of prompts through StableDiffusionPipeline, 2 calls each" in out
    contexts = next(dgqc.frontends.load_calibration(recorded).read(0))["encoder_hidden_states"]
    assert torch.equal(contexts, torch.cat([prompts(1, 1).expand(3, -1, -1), prompts(3)]))
    program = dgqc.compile(folder, "naive-w8a8", embeddings=file, steps=STEPS, samples=2, batch_size=2)
    assert program.provenance.calibration.startswith("2 embeddings of prompts through")
    assert program.report["quality"]["drawing"] > 20


def test_an_array_without_guidance(folder: Path, tmp_path: Path) -> None:
    numpy.save(tmp_path / "prompts.npy", prompts(2).numpy())
    given: dict[str, Any] = {"steps": STEPS, "output": tmp_path / "c.safetensors"}
    with pytest.raises(DgqcError, match="guides away from negative_prompt_embeds, and has no text encoder"):
        calibrate(folder, None, **given, embeddings=tmp_path / "prompts.npy")
    found = calibrate(folder, None, **given, embeddings=tmp_path / "prompts.npy", guidance_scale=1.0)
    assert torch.equal(torch.cat([one["encoder_hidden_states"] for one in found.read(1)]), prompts(2))


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"prompt_embeds": prompts(2)[0]}, r"prompt_embeds has shape \(6, 16\); give a .safetensors whose"),
        ({"prompt_embeds": prompts(2) / 0}, "prompt_embeds holds NaN or infinite values"),
        ({"words": prompts(2)}, "takes no words; leave it out of the embeddings"),
        ({}, "holds nothing; give a .safetensors whose tensors are called"),
    ],
)
def test_files_that_hold_none(folder: Path, held: Any, message: str, tmp_path: Path) -> None:
    save_file(held, str(tmp_path / "e.safetensors"))
    with pytest.raises(DgqcError, match=message):
        calibrate(folder, None, STEPS, tmp_path / "c.safetensors", embeddings=tmp_path / "e.safetensors")


def test_nobody_reads_prompts(folder: Path, run: Run, tmp_path: Path) -> None:
    code, _, err = run("calibrate", folder, "--steps", STEPS, "-o", tmp_path / "c.safetensors")
    assert code == 2
    assert "has no tokenizer with a text encoder to read prompts; give their embeddings with --embedd" in err
    numpy.save(tmp_path / "prompts.npy", prompts(2).numpy())
    with pytest.raises(DgqcError, match="prompts, and embeddings that stand for prompts; leave one"):
        calibrate(folder, ["a"], STEPS, tmp_path / "c.safetensors", embeddings=tmp_path / "prompts.npy")


def test_faces(tmp_path: Path) -> None:
    whole = picture_adapters.pipeline()
    whole.register_modules(image_encoder=None)
    whole.save_pretrained(tmp_path / "pipeline")
    file = picture_adapters.adapter(whole.unet, picture_adapters.face_projection(0))
    torch.save(file, tmp_path / "ip-adapter-faceid_sd15.bin")
    faces = prompts(3)[:, 0, : picture_adapters.FACE].contiguous()
    save_file({"ip_adapter_image_embeds": faces}, str(tmp_path / "faces.safetensors"))
    shown = picture_adapters_of(tmp_path / "ip-adapter-faceid_sd15.bin", None)
    asked: dict[str, Any] = {"steps": STEPS, "output": tmp_path / "c.safetensors", "shown": shown}
    with pytest.raises(
        DgqcError, match=r"embeddings of faces, .* in no picture; give them with --embeddings"
    ):
        calibrate(tmp_path / "pipeline", ["a"], **asked)
    told = tmp_path / "faces.safetensors"
    found = calibrate(tmp_path / "pipeline", ["a", "a circle"], **asked, embeddings=told)
    seen = torch.cat([one["image_embeds_0"][-1] for one in found.read(0)])
    assert torch.equal(seen, faces[:2])
