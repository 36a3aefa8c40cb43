"""Stable Diffusion XL by itself: two text encoders with a tokenizer each, pooled text, sizes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import text_parts
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionXLPipeline
from PIL import Image
from toolchains import PLAIN, Target, compile_each
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

import dgqc
from dgqc.bundle.vectors import noise_of
from dgqc.execution.boundary import floating_picture, to_integers
from dgqc.execution.pictures import _conditions, prompted_texts
from dgqc.ir.errors import DgqcError
from dgqc.report.quality import decibels

pytestmark = pytest.mark.slow
QUICK = "w8a8,rounding=nearest,keep=none"
HOW: dict[str, Any] = {"steps": 2, "samples": 2, "check": False, "text": QUICK, "decoder": QUICK}
PROMPT, OTHER = "a cat of bb xxxx", "ball"
WIDTHS, POOLED = (16, 24), 20


def encoder(kind: Any, width: int, tokenizer: Any) -> Any:
    """Of two layers, of which pipelines take the first one's states."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=width,
        projection_dim=POOLED,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return kind(config).eval()


def pipeline() -> Any:
    """As small as it gets. Its second tokenizer pads with another token, as the published ones do."""
    torch.manual_seed(0)
    first, second = text_parts.small_clip(), text_parts.small_clip(pad_token="!")
    unet = text_parts.unet(
        cross_attention_dim=sum(WIDTHS),
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=POOLED + 4 * 6,
    )
    found = StableDiffusionXLPipeline(
        vae=AutoencoderKL(
            latent_channels=4, block_out_channels=(4,), norm_num_groups=2, sample_size=8, force_upcast=False
        ).eval(),
        text_encoder=encoder(CLIPTextModel, WIDTHS[0], first),
        text_encoder_2=encoder(CLIPTextModelWithProjection, WIDTHS[1], second),
        tokenizer=first,
        tokenizer_2=second,
        unet=unet,
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False, prediction_type="sample"),
        add_watermarker=False,
    )
    found.set_progress_bar_config(disable=True)
    return found


@pytest.fixture(scope="module")
def compiled() -> dgqc.CompiledProgram:
    return dgqc.compile(pipeline(), QUICK, **HOW)


def pixels(picture: Any) -> torch.Tensor:
    """float64, 0 in the middle."""
    return torch.tensor(np.asarray(picture)).double() - 127.5


def test_the_picture_is_the_pipeline_s_own(compiled: dgqc.CompiledProgram) -> None:
    """Without a negative, which is zeros here, and with one."""
    assert sorted(compiled.parts) == ["decoder", "text_encoder", "text_encoder_2"]
    facts = compiled.program.picture
    assert facts is not None
    assert facts.empty_is_zero
    assert [one.input for one in facts.fixed] == ["time_ids_embedding"]
    noise = floating_picture(noise_of(3, 1, (1, 4, 8, 8)))
    seen = []
    for negative in (None, OTHER):
        how: dict[str, Any] = {"num_inference_steps": 2, "latents": noise, "guidance_scale": 1.5}
        with torch.no_grad():
            wanted = pipeline()(PROMPT, negative_prompt=negative, **how).images[0]
        found = compiled.draw(PROMPT, 3, negative=negative or "", guidance_scale=1.5, backend="reference")
        squared = float((pixels(wanted) - pixels(found)).square().mean())
        assert 10 * np.log10(255**2 / squared) > 30
        seen.append(np.asarray(found))
    assert not np.array_equal(*seen)


def test_what_the_unet_takes_is_what_the_pipeline_gives_it(compiled: dgqc.CompiledProgram) -> None:
    own, seen = pipeline(), []
    own.unet.register_forward_pre_hook(lambda _, args, named: seen.append(named), with_kwargs=True)
    with torch.no_grad():
        own(PROMPT, num_inference_steps=1, guidance_scale=3.0, output_type="latent")
    texts = prompted_texts(compiled)
    for row, prompt in ((0, None), (1, PROMPT)):
        codes = _conditions(compiled, texts, prompt, "reference")
        extra = {name: one[row : row + 1] for name, one in seen[0]["added_cond_kwargs"].items()}
        wanted = {"encoder_hidden_states": seen[0]["encoder_hidden_states"][row : row + 1], **extra}
        integers = to_integers(compiled.program, {"sample": torch.zeros(1, 4, 8, 8), **wanted}, 0)
        for given in compiled.program.inputs[1:]:
            found = codes[given.name].double() * given.steps(0)
            expected = integers[given.name].double() * given.steps(0)
            if expected.abs().sum() == 0:
                assert found.abs().sum() == 0
            else:
                assert decibels(expected, found) > 30, given.name


def test_ids_are_given_for_each_encoder(compiled: dgqc.CompiledProgram) -> None:
    own = pipeline()
    ids = [
        one(PROMPT, padding="max_length", truncation=True, max_length=16).input_ids
        for one in (own.tokenizer, own.tokenizer_2)
    ]
    assert ids[0] != ids[1]
    how: dict[str, Any] = {"seed": 1, "guidance_scale": 1.0, "backend": "reference"}
    by_ids, by_text = compiled.draw(ids, **how), compiled.draw(PROMPT, **how)
    assert np.array_equal(np.asarray(by_ids), np.asarray(by_text))
    with pytest.raises(DgqcError, match="3 lists of ids for 2 text encoders"):
        compiled.draw([*ids, ids[0]], **how)


def test_half_of_the_text_is_not_enough(compiled: dgqc.CompiledProgram) -> None:
    """Nor pictures of a bundle that doesn't know the sizes."""
    with pytest.raises(DgqcError, match=r"gives states .*, but the UNet was compiled for"):
        compiled.with_parts({"text_encoder": compiled.text_encoder}).draw(PROMPT)


def test_c_draws_the_same_picture(compiled: dgqc.CompiledProgram, tmp_path: Path) -> None:
    """The joined project's own program, with both tokenizers."""
    project = compiled.save(tmp_path / "all.dgqc", targets=("c",)) / "parts" / "c"
    files = [*sorted(project.glob("src/*.c")), project / "draw.c", project / "map_weights.c"]
    kernels = [one for one in files if one.name.startswith("dgqc_")]
    places = [project / "include", project / "src"]
    # Kernels are tried with sanitizers elsewhere.
    objects = compile_each(Target("host", "gcc", ()), kernels, places, tmp_path / "kernels", *PLAIN)
    checks = ["-fsanitize=undefined", "-fno-sanitize-recover"]
    own = [one for one in files if one not in kernels]
    checked = compile_each(Target("host", "gcc", ()), own, places, tmp_path / "own", *PLAIN, *checks)
    subprocess.run(["gcc", *checks, *objects, *checked, "-o", tmp_path / "draw"], check=True)
    for negative, guidance in (("", 7.5), (OTHER, 2.25), ("", 1)):
        picture = tmp_path / "picture.ppm"
        asked = [PROMPT, "--seed", "3", "--guidance", str(guidance), "--negative", negative, "-o", picture]
        subprocess.run([tmp_path / "draw", *asked], check=True, cwd=project, capture_output=True)
        given: dict[str, Any] = {"negative": negative, "guidance_scale": guidance}
        wanted = compiled.draw(PROMPT, 3, backend="reference", **given)
        assert np.array_equal(np.asarray(Image.open(picture)), np.asarray(wanted))
