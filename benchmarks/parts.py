"""Pixels of a pipeline with integer parts beside the float pipeline's, from the same noise.

python benchmarks/parts.py PIPELINE BUNDLE [--pictures 8] [--steps 25] [--guidance 7.5] [--prompts FILE]

One row for the UNet alone in integers, one with all parts of the bundle: worst and mean peak signal to
noise ratio over pictures, in decibels, of pixels from 0 to 1.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

import dgqc
from dgqc.frontends.calibrating.captions import prompts_for
from dgqc.frontends.loading.pipelines import load_pipeline

PROMPT_SEED = 123_456
"""Of prompts that no calibration draws."""


def pictures(pipeline: Any, prompts: list[str], steps: int, guidance: float) -> list[torch.Tensor]:
    """Each from noise of its own seed, float64 (H, W, C), 0 to 1."""
    pipeline.set_progress_bar_config(disable=True)
    kind = "np" if getattr(pipeline, "vae", None) is not None else "latent"
    found = []
    for seed, prompt in enumerate(prompts):
        noise = torch.Generator().manual_seed(seed)
        how: dict[str, Any] = {"num_inference_steps": steps, "guidance_scale": guidance}
        made = pipeline(prompt, generator=noise, output_type=kind, **how).images[0]
        pixels = torch.as_tensor(made).double()
        found.append(pixels if kind == "np" else (pixels / 2 + 0.5).clamp(0, 1))
    return found


def peak_ratio(wanted: torch.Tensor, found: torch.Tensor) -> float:
    """Of pixels from 0 to 1, in decibels."""
    return float(-10 * torch.log10((wanted - found).square().mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pipeline", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--pictures", type=int, default=8)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--guidance", type=float, default=7.5)
    parser.add_argument("--prompts", type=Path, help="a file, one a line; else everyday captions")
    asked = parser.parse_args()
    pipeline, program = load_pipeline(asked.pipeline), dgqc.load(asked.bundle)
    prompts = prompts_for(pipeline.tokenizer, asked.pictures, PROMPT_SEED)
    if asked.prompts is not None:
        prompts = asked.prompts.read_text(encoding="utf-8").splitlines()[-asked.pictures :]
    how = (prompts, asked.steps, asked.guidance)
    wanted = pictures(pipeline, *how)
    for name, one in (("unet", program.with_parts({})), ("all parts", program)):
        found = pictures(one.as_diffusers_pipeline(load_pipeline(asked.pipeline)), *how)
        each = [peak_ratio(*pair) for pair in zip(wanted, found, strict=True)]
        print(f"{name}: worst {min(each):.1f} dB, mean {sum(each) / len(each):.1f} dB, {len(each)} pictures")


if __name__ == "__main__":
    main()
