"""Stable Diffusion's UNets in their own size: random weights with a fixed seed, samples for calibration.

    python benchmarks/stable_diffusion.py model WORK
    python benchmarks/stable_diffusion.py calibration WORK --steps 25 --samples 2
    python benchmarks/stable_diffusion.py model WORK --name stable-diffusion-xl --half

--channels 160 320 640 640 makes v1.4 a quarter as large. --half writes half precision, in shards, as large
models are published. WORK/unet becomes the model's folder, as diffusers saves it. What is there already isn't
made again. Two samples of a call are the halves of guidance of one picture; of an odd number's last, there
is one half.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SEED = 0
CHANNELS = (320, 640, 1280, 1280)
HALVES = 2
"""Of guidance."""
SHARD = "5GB"


def _down(blocks: str) -> dict[str, Any]:
    """Types of blocks, a letter each: `c` attends to the prompt, `p` doesn't."""
    kind = {"c": "CrossAttn", "p": ""}
    return {
        "down_block_types": tuple(f"{kind[one]}DownBlock2D" for one in blocks),
        "up_block_types": tuple(f"{kind[one]}UpBlock2D" for one in reversed(blocks)),
    }


_XL: Mapping[str, Any] = {
    "sample_size": 128,
    **_down("pcc"),
    "block_out_channels": (320, 640, 1280),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
CONFIGURATIONS: Mapping[str, Mapping[str, Any]] = {
    "stable-diffusion-v1-4": {
        "sample_size": 64,
        **_down("cccp"),
        "block_out_channels": CHANNELS,
        "attention_head_dim": 8,
        "cross_attention_dim": 768,
    },
    "stable-diffusion-xl": _XL,
    "stable-diffusion-xl-refiner": {
        **_XL,
        **_down("pccp"),
        "block_out_channels": (384, 768, 1536, 1536),
        "transformer_layers_per_block": 4,
        "attention_head_dim": (6, 12, 24, 24),
        "cross_attention_dim": 1280,
        "projection_class_embeddings_input_dim": 2560,
    },
    "ssd-1b": {
        **_XL,
        "mid_block_type": "UNetMidBlock2D",
        "transformer_layers_per_block": (1, (2, 2), (4, 4)),
        "reverse_transformer_layers_per_block": ((4, 4, 10), (2, 1, 1), 1),
    },
}
"""As published: CompVis/stable-diffusion-v1-4, 859.5 M parameters; stabilityai/stable-diffusion-xl-base-1.0
and -refiner-1.0; segmind/SSD-1B."""


def model_folder(work: Path) -> Path:
    return work / "unet"


def calibration_file(work: Path, steps: int, samples: int) -> Path:
    return work / f"calibration-{steps}x{samples}.safetensors"


def make_model(work: Path, name: str, channels: Sequence[int] | None, half: bool) -> None:
    """A published configuration with random weights in float32, or in halves and shards.

    channels: of its levels, where they are to be others.
    """
    import torch
    from diffusers import UNet2DConditionModel

    folder = model_folder(work)
    if folder.exists():
        return
    torch.manual_seed(SEED)
    config = {**CONFIGURATIONS[name], **({"block_out_channels": tuple(channels)} if channels else {})}
    with _precision(torch.float16 if half else torch.float32):
        unet = UNet2DConditionModel(**config)
    unfinished = work / "unet.unfinished"
    unet.save_pretrained(unfinished, **({"variant": "fp16", "max_shard_size": SHARD} if half else {}))
    os.replace(unfinished, folder)


@contextmanager
def _precision(kind: Any) -> Iterator[None]:
    """Parameters are made with it, so that a large model never stands in memory twice as large."""
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(kind)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


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
        made = synthesize(model, scheduler, schedule, samples=-(-samples // HALVES), batch_size=1, seed=SEED)
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
        (step, batch, {name: value[: samples - HALVES * batch] for name, value in inputs.items()})
        for step in range(len(schedule))
        for batch, inputs in enumerate(made.read(step))
    )
    save_calibration(file, recording, calls)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("model", "calibration"))
    parser.add_argument("work", type=Path)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--name", choices=CONFIGURATIONS, default="stable-diffusion-v1-4")
    parser.add_argument("--channels", type=int, nargs="+")
    parser.add_argument("--half", action="store_true")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    if given.what == "model":
        make_model(given.work, given.name, given.channels, given.half)
    else:
        make_calibration(given.work, given.steps, given.samples)


if __name__ == "__main__":
    main()
