"""Stable Diffusion v1.4's UNet in its own size: random weights with a fixed seed, samples for calibration.

    python benchmarks/stable_diffusion.py model WORK
    python benchmarks/stable_diffusion.py calibration WORK --steps 25 --samples 2

--channels 160 320 640 640 makes it a quarter as large. WORK/unet becomes the model's folder, as diffusers
saves it. What is there already isn't made again.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

SEED = 0
CHANNELS = (320, 640, 1280, 1280)


def model_folder(work: Path) -> Path:
    return work / "unet"


def calibration_file(work: Path, steps: int, samples: int) -> Path:
    return work / f"calibration-{steps}x{samples}.safetensors"


def make_model(work: Path, channels: Sequence[int]) -> None:
    """The published configuration (CompVis/stable-diffusion-v1-4), 859.5 M parameters in float32.

    channels: of its four levels, where they are to be others.
    """
    import torch
    from diffusers import UNet2DConditionModel

    folder = model_folder(work)
    if folder.exists():
        return
    torch.manual_seed(SEED)
    unet = UNet2DConditionModel(
        sample_size=64,
        in_channels=4,
        out_channels=4,
        cross_attention_dim=768,
        attention_head_dim=8,
        block_out_channels=tuple(channels),
        layers_per_block=2,
        down_block_types=(*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
        up_block_types=("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
    )
    unfinished = work / "unet.unfinished"
    unet.save_pretrained(unfinished)
    os.replace(unfinished, folder)


def make_calibration(work: Path, steps: int, samples: int) -> None:
    """What the model is called with when it denoises from noise, as without --calib."""
    import torch

    from dgqc.frontends.calibrating.calibration_file import Recording, save_calibration
    from dgqc.frontends.calibrating.synthesize import synthesize
    from dgqc.frontends.loading.load import load_model
    from dgqc.frontends.schedules import schedule_for

    file = calibration_file(work, steps, samples)
    if file.exists():
        return
    scheduler, schedule = schedule_for(None, steps)
    model = load_model(model_folder(work)).model
    with torch.no_grad():
        made = synthesize(model, scheduler, schedule, samples=samples, batch_size=samples, seed=SEED)
    recording = Recording(
        schedule=schedule,
        synthetic=True,
        origin=made.origin,
        prompts="",
        seeds=(SEED,),
        guidance_scale=None,
        versions=made.versions,
    )
    calls = (
        (step, batch, inputs) for step in range(len(schedule)) for batch, inputs in enumerate(made.read(step))
    )
    save_calibration(file, recording, calls)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("model", "calibration"))
    parser.add_argument("work", type=Path)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--channels", type=int, nargs=4, default=CHANNELS)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    if given.what == "model":
        make_model(given.work, given.channels)
    else:
        make_calibration(given.work, given.steps, given.samples)


if __name__ == "__main__":
    main()
