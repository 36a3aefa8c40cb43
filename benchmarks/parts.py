"""Pixels of a pipeline with integer parts beside the float pipeline's, from the same noise.

python benchmarks/parts.py PIPELINE BUNDLE [--pictures 8] [--steps 25] [--guidance 7.5]
    [--prompts FILE | --scenes] [--rows unet,"all parts",alone]

One row for the UNet alone in integers, one with all parts of the bundle in the float pipeline, one drawn by
the bundle alone, its loop in integers, too: worst and mean peak signal to noise ratio over pictures, in
decibels, of pixels from 0 to 1. With --scenes, prompts are the demo model's, and its judge says what share of
the attributes that they name is seen, in the float pipeline's pictures as well.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import pixel_shuffle

import dgqc
from dgqc.demo_model.evaluate import alignment, evaluation_scenes
from dgqc.frontends.calibrating.captions import prompts_for
from dgqc.frontends.loading.pipelines import load_pipeline
from dgqc.frontends.parts.decoders import COMPONENT

PROMPT_SEED = 123_456
"""Of prompts that no calibration draws."""
ROWS = ("unet", "all parts", "alone")


def noise_for(program: dgqc.CompiledProgram, seed: int) -> torch.Tensor:
    """What a picture begins from, (1, C, H, W), within what integers hold."""
    shape = program.program.inputs[0].shape
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).clamp(-7.9, 7.9)


def pictures(
    pipeline: Any, prompts: list[str], noises: list[torch.Tensor], steps: int, guidance: float
) -> Iterator[torch.Tensor]:
    """One for each prompt, float64 (H, W, C), 0 to 1."""
    pipeline.set_progress_bar_config(disable=True)
    latent = getattr(pipeline, COMPONENT, None) is None
    how: dict[str, Any] = {"num_inference_steps": steps, "guidance_scale": guidance}
    for prompt, noise in zip(prompts, noises, strict=True):
        made = pipeline(prompt, latents=noise, output_type="latent" if latent else "np", **how).images
        if latent:
            squares = math.isqrt(made.shape[1] // 3) if made.shape[1] > 1 else 1
            yield (pixel_shuffle(made.double(), squares)[0].permute(1, 2, 0) / 2 + 0.5).clamp(0, 1)
        else:
            yield torch.as_tensor(made[0]).double()


def alone(
    program: dgqc.CompiledProgram, prompts: list[str], noises: list[torch.Tensor], guidance: float
) -> Iterator[torch.Tensor]:
    """The same by the bundle itself, without a floating-point number from words to pixels.

    For schedulers that draw no noise between calls.
    """
    for prompt, noise in zip(prompts, noises, strict=True):
        picture = np.asarray(program.draw(prompt, noise=noise, guidance_scale=guidance))
        yield torch.from_numpy(picture.copy()).double().reshape(*picture.shape[:2], -1) / 255


def peak_ratio(wanted: torch.Tensor, found: torch.Tensor) -> float:
    """Of pixels from 0 to 1, in decibels."""
    return float(-10 * torch.log10((wanted - found).square().mean()))


def judged(found: list[torch.Tensor], scenes: bool) -> str:
    """The share of attributes that the demo model's judge sees, as text."""
    if not scenes:
        return ""
    whole = np.stack([(255 * one).round().to(torch.uint8).numpy() for one in found])
    return f", alignment {100 * alignment(whole, evaluation_scenes(len(found))):.2f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pipeline", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--pictures", type=int, default=8)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--guidance", type=float, default=7.5)
    parser.add_argument("--prompts", type=Path, help="a file, one a line; else everyday captions")
    parser.add_argument("--scenes", action="store_true", help="the demo model's prompts, judged")
    parser.add_argument("--rows", default=",".join(ROWS), help="which of them")
    asked = parser.parse_args()
    pipeline, program = load_pipeline(asked.pipeline), dgqc.load(asked.bundle)
    prompts = prompts_for(pipeline.tokenizer, asked.pictures, PROMPT_SEED)
    if asked.prompts is not None:
        prompts = asked.prompts.read_text(encoding="utf-8").splitlines()[-asked.pictures :]
    if asked.scenes:
        prompts = [scene.caption() for scene in evaluation_scenes(asked.pictures)]
    noises = [noise_for(program, seed) for seed in range(len(prompts))]
    wanted = list(pictures(pipeline, prompts, noises, asked.steps, asked.guidance))
    print(f"float: {len(wanted)} pictures{judged(wanted, asked.scenes)}", flush=True)
    for name in asked.rows.split(","):
        if name == "alone":
            found = list(alone(program, prompts, noises, asked.guidance))
        else:
            one = program.with_parts({}) if name == "unet" else program
            drawing = one.as_diffusers_pipeline(load_pipeline(asked.pipeline))
            found = list(pictures(drawing, prompts, noises, asked.steps, asked.guidance))
        each = [peak_ratio(*pair) for pair in zip(wanted, found, strict=True)]
        figures = f"worst {min(each):.1f} dB, mean {sum(each) / len(each):.1f} dB"
        whole = peak_ratio(torch.stack(wanted), torch.stack(found))
        print(f"{name}: {figures}, of all pixels {whole:.1f} dB{judged(found, asked.scenes)}", flush=True)


if __name__ == "__main__":
    main()
