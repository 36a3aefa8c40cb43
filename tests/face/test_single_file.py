"""A checkpoint in one file on the command line, with the tokenizer that it lacks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import text_parts
from diffusers import UNet2DModel
from original_names import original_names
from original_parts import clip, encoder
from safetensors.torch import save_file

import dgqc
from dgqc.ir.errors import DgqcError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    unet = text_parts.unet(
        cross_attention_dim=24, block_out_channels=(32,), attention_head_dim=8, norm_num_groups=32
    )
    text_parts.tokenizer().save_pretrained(tmp_path / "pipeline" / "tokenizer")
    save_file({**original_names(unet), **clip(encoder(24))}, tmp_path / "v1-5.safetensors")
    return tmp_path / "v1-5.safetensors"


def test_prompts_calibrate_and_compile_a_file(checkpoint: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "prompts.txt").write_text("a red square\n")
    given = ("--tokenizer", tmp_path / "pipeline", "--steps", "1")
    prompts = ("--prompts", tmp_path / "prompts.txt")
    code, out, err = run("calibrate", checkpoint, *given, *prompts, "-o", tmp_path / "c.safetensors")
    assert code == 0, err
    assert "1 prompts through StableDiffusionPipeline" in out
    fast = ("-O", "naive-w8a8", "--check=off", "--samples", "1", "--sample-size", "8x8", "--parts", "unet")
    code, _, err = run("compile", checkpoint, *given, *fast, "-o", tmp_path / "a.dgqc")
    assert code == 0, err
    made = json.loads((tmp_path / "a.dgqc/manifest.json").read_text())
    assert made["request"]["tokenizer"] == str(tmp_path / "pipeline")
    assert "1 prompts of its words through StableDiffusionPipeline" in made["calibration"]["origin"]


def test_what_is_missing_is_said_in_one_line(checkpoint: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "prompts.txt").write_text("a red square\n")
    prompts = ("--prompts", tmp_path / "prompts.txt")
    code, out, err = run("calibrate", checkpoint, *prompts, "-o", tmp_path / "c.safetensors")
    assert (code, out) == (2, "")
    assert "is no pipeline as it stands" in err.splitlines()[-1]
    plain = UNet2DModel(sample_size=8, block_out_channels=(32,), down_block_types=("DownBlock2D",),
                        up_block_types=("UpBlock2D",))  # fmt: skip
    with pytest.raises(DgqcError, match="option tokenizer is for files, and here is a UNet2DModel"):
        dgqc.compile(plain, tokenizer=tmp_path)
