"""Published checkpoints' layouts with random numbers in few channels, compiled, and drawn with beside float.

    python tests/published_layouts.py [NAME ...]

prints a line for each: decibels of signal to noise of the pictures, about their mean.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import diffusers
import gguf_layouts
import numpy as np
import original_pipelines as pipelines
import text_parts
import torch
from diffusers import UNet2DConditionModel
from original_names import averaged_names, original_names
from original_parts import clip
from original_pipelines import Tensors
from PIL import Image
from safetensors.torch import save_file

import dgqc
from dgqc.cli import main as command_line

_diffusers: Any = diffusers
SIDE = 8
"""Of the latents."""
PROMPTS = ("a red square", "a blue circle")
FAST = (
    "-O",
    "w8a8,rounding=nearest,keep=none",
    "--samples",
    "4",
    "--parts",
    "unet",
    "--check=off",
    "-q",
    "--target",
    "reference",
)
CROSS, PLAIN = ("CrossAttnDownBlock2D", "CrossAttnUpBlock2D"), ("DownBlock2D", "UpBlock2D")
VELOCITY = "DDIMScheduler{prediction_type=v_prediction}"
TRAILING = "EulerDiscreteScheduler{timestep_spacing=trailing}"


def unet(*attends: bool, **options: Any) -> Any:
    """Two levels of one residual block each. attends: which of them read a context."""
    torch.manual_seed(0)
    kinds = [CROSS if one else PLAIN for one in attends]
    defaults: dict[str, Any] = {
        "sample_size": SIDE,
        "down_block_types": [down for down, _ in kinds],
        "up_block_types": [up for _, up in kinds[::-1]],
        "block_out_channels": (32, 64),
        "layers_per_block": 1,
        "norm_num_groups": 32,
        "attention_head_dim": 8,
        "cross_attention_dim": 24,
    }
    kind: Any = UNet2DConditionModel
    return kind(**{**defaults, **options}).eval()


LINEAR: Mapping[str, Any] = {"use_linear_projection": True, "attention_head_dim": [1, 1]}
SECOND: Mapping[str, Any] = {**LINEAR, "block_out_channels": (64, 64), "cross_attention_dim": 1024}


def of_xl(ids: int = 6, text: int = 16, **options: Any) -> Any:
    """SDXL's form: text and picture sizes are told beside the time. text: numbers of the pooled text."""
    told = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": text + 256 * ids,
        "transformer_layers_per_block": [1, 2],
        "cross_attention_dim": 48,
    }
    return unet(False, True, **{**told, **LINEAR, **options})


@dataclass(frozen=True)
class Layout:
    """A checkpoint as it is published.

    made: the float pipeline, and its tensors by the file's names. written: makes the file. options: of
    `dgqc compile`, as its users say them. drawn: what the pipeline is called with. pictures: whether it is
    given one. scheduler: in the place of the pipeline's.
    """

    made: Callable[[], tuple[Any, Tensors]]
    options: tuple[str, ...] = ()
    drawn: Mapping[str, Any] = field(default_factory=dict)
    written: Callable[[Tensors, Path], Tensors | None] = lambda tensors, path: save_file(tensors, path)
    pictures: bool = False
    scheduler: str = ""
    tokenizer: bool = True


def first(kind: str = "StableDiffusionPipeline", **options: Any) -> Callable[[], tuple[Any, Tensors]]:
    """Stable Diffusion 1's form, with what its authors' file holds besides."""

    def made() -> tuple[Any, Tensors]:
        pipeline, tensors = pipelines.stable_diffusion(unet(True, False, **options), clip, "quick_gelu", kind)
        return pipeline, {**tensors, "betas": torch.ones(1000), "model_ema.decay": torch.tensor(0.9999)}

    return made


def second() -> tuple[Any, Tensors]:
    return pipelines.stable_diffusion(unet(True, False, **SECOND), pipelines.with_last_layer, "gelu")


def xl() -> tuple[Any, Tensors]:
    return pipelines.sdxl(of_xl())


def with_normed_latents() -> tuple[Any, Tensors]:
    """Playground 2.5's: told noise levels, and its file says mean and deviation of latents."""
    pipeline, tensors = xl()
    pipeline.scheduler = _diffusers.EDMDPMSolverMultistepScheduler(
        sigma_data=0.5, sigma_max=80.0, sigma_min=0.002
    )
    mean, deviation = torch.tensor([-1.5, 0.5, 1.0, 0.25]), torch.tensor([8.0, 6.0, 7.0, 5.0])
    latents = {"latents_mean": mean.tolist(), "latents_std": deviation.tolist(), "scaling_factor": 0.5}
    pipeline.vae.register_to_config(**latents)
    return pipeline, {
        **tensors,
        "edm_mean": mean[None, :, None, None],
        "edm_std": deviation[None, :, None, None],
    }


def by_noise_level() -> tuple[Any, Tensors]:
    """CosXL's: told noise levels, predicts velocity."""
    pipeline, tensors = xl()
    levels = {"sigma_max": 120.0, "sigma_min": 0.002}
    pipeline.scheduler = _diffusers.EDMEulerScheduler(
        sigma_data=1.0, prediction_type="v_prediction", **levels
    )
    return pipeline, {**tensors, **{f"edm_vpred.{name}": torch.tensor(one) for name, one in levels.items()}}


def distilled() -> tuple[Any, Tensors]:
    """SSD-1B's: as many transformer layers at each place as were left."""
    depths = {
        "transformer_layers_per_block": [[0], [2]],
        "reverse_transformer_layers_per_block": [[2, 1], [0, 0]],
    }
    return pipelines.sdxl(of_xl(mid_block_type="UNetMidBlock2D", **depths))


def told_the_scale() -> tuple[Any, Tensors]:
    """A folder: a latent consistency model is told the guidance scale."""
    one, _ = first()()
    parts = {name: part for name, part in one.components.items() if name != "image_encoder"}
    told = {
        "unet": unet(True, False, time_cond_proj_dim=256),
        "scheduler": _diffusers.LCMScheduler(**pipelines.SCHEDULE),
    }
    kind = _diffusers.LatentConsistencyModelPipeline
    return kind(**{**parts, **told}, requires_safety_checker=False), {}


def averaged() -> tuple[Any, Tensors]:
    """The file of training: averaged weights beside others, which are not meant."""
    pipeline, tensors = first()()
    others = {name: one * 0.5 if name.startswith("model.") else one for name, one in tensors.items()}
    return pipeline, {**others, **averaged_names(pipeline.unet)}


def pickled(tensors: Tensors, path: Path) -> None:
    """With what trainers leave beside: numbers of numpy's, and names."""
    beside = {"lr_schedulers": [np.float64(1.0)], "hyper_parameters": Namespace(base_learning_rate=1e-4)}
    torch.save({"state_dict": tensors, "global_step": 470_000, "callbacks": {}, **beside}, path)


def halves(tensors: Tensors, path: Path) -> Tensors:
    """Returns what they stand for."""
    found = {name: one.half() if one.is_floating_point() else one for name, one in tensors.items()}
    save_file(found, path)
    return {name: one.float() if one.is_floating_point() else one for name, one in found.items()}


def of_eight_bits(tensors: Tensors, path: Path) -> Tensors:
    """Matrices and kernels of the UNet as floats of eight bits. Returns what they stand for."""
    found = {
        name: one.to(torch.float8_e4m3fn) if one.dim() > 1 and name.startswith("model.") else one
        for name, one in tensors.items()
    }
    save_file(found, path)
    return {name: one.float() if one.is_floating_point() else one for name, one in found.items()}


FEW = ("--steps", "4")
LAYOUTS: Mapping[str, Layout] = {
    "v1-5-pruned-emaonly.safetensors": Layout(first(), FEW),
    "v1-5-pruned.ckpt": Layout(averaged, (*FEW, "--weights-key", "ema"), written=pickled),
    "v2-1_768-ema-pruned.safetensors": Layout(second, (*FEW, "--scheduler", VELOCITY), scheduler=VELOCITY),
    "sd_xl_base_1.0.safetensors": Layout(xl, FEW),
    "sd_xl_refiner_1.0.safetensors": Layout(
        lambda: pipelines.sdxl(of_xl(5, text=1280), refiner=True, projection=1280),
        (*FEW, "--strength", "0.5"),
        {"strength": 0.5},
        pictures=True,
    ),
    "sd-v1-5-inpainting.ckpt": Layout(
        first("StableDiffusionInpaintPipeline", in_channels=9), FEW, written=pickled, pictures=True
    ),
    "instruct-pix2pix-00-22000.ckpt": Layout(
        first("StableDiffusionInstructPix2PixPipeline", in_channels=8), FEW, written=pickled, pictures=True
    ),
    "playground-v2.5-1024px-aesthetic.fp16.safetensors": Layout(
        with_normed_latents, (*FEW, "--guidance-scale", "3"), {"guidance_scale": 3.0}, halves
    ),
    "cosxl.safetensors": Layout(by_noise_level, FEW),
    "SSD-1B-A1111.safetensors": Layout(distilled, FEW, written=halves),
    "LCM_Dreamshaper_v7": Layout(
        told_the_scale, (*FEW, "--guidance-scale", "8.5"), {"guidance_scale": 8.5}, tokenizer=False
    ),
    "sd_turbo.safetensors": Layout(
        second,
        ("--steps", "1", "--guidance-scale", "0", "--scheduler", TRAILING),
        {"guidance_scale": 0.0, "num_inference_steps": 1},
        halves,
        scheduler=TRAILING,
    ),
    "sd_xl_turbo_1.0_fp16.safetensors": Layout(
        xl,
        ("--steps", "1", "--guidance-scale", "0", "--scheduler", TRAILING),
        {"guidance_scale": 0.0, "num_inference_steps": 1},
        halves,
        scheduler=TRAILING,
    ),
    "sd_xl_base_1.0_fp8_e4m3fn.safetensors": Layout(xl, FEW, written=of_eight_bits),
    "v1-5-pruned-emaonly-Q8_0.gguf": Layout(first(), FEW, written=gguf_layouts.whole),
    "sd_xl_base_1.0-Q8_0.gguf": Layout(xl, FEW, written=gguf_layouts.whole),
    "sd_xl_base_1.0-unet-Q8_0.gguf": Layout(
        xl,
        (*FEW, "--context-length", str(text_parts.TOKENS)),
        written=gguf_layouts.unet_alone,
        tokenizer=False,
    ),
}
"""By the published name. The two kinds of GGUF are stable-diffusion.cpp's and that of ComfyUI's node."""


def beside_float(name: str, place: Path) -> float:
    """Compiles a layout by the command line. Returns decibels of its pictures beside the float pipeline's."""
    layout = LAYOUTS[name]
    pipeline, tensors = layout.made()
    pipeline.set_progress_bar_config(disable=True)
    path = place / name
    if path.suffix:
        stored = layout.written(tensors, path)
        if stored is not None:  # what is rounded in the file is not what is compared
            own = original_names(pipeline.unet)
            taken = {name: stored[name] for name in own}
            pipeline.unet.load_state_dict(_by_own_names(pipeline.unet, taken))
    else:
        pipeline.save_pretrained(path)
    size = f"{SIDE}x{SIDE}"
    command = ["compile", path, *layout.options, *FAST, "--sample-size", size, "-o", place / "out"]
    if layout.tokenizer:
        text_parts.tokenizer().save_pretrained(place / "tokenizer")
        command += ["--tokenizer", place / "tokenizer"]
    if layout.pictures:
        (place / "pictures").mkdir()
        picture().save(place / "pictures" / "a.png")
        command += ["--pictures", place / "pictures"]
    code = command_line.run([str(one) for one in command])
    assert code == 0, f"dgqc compile ended with {code}"
    if layout.scheduler:
        pipeline.scheduler = rescheduled(pipeline.scheduler, layout.scheduler)
    wanted = drawn(pipeline, layout)
    pipeline.unet = dgqc.load(place / "out").as_diffusers_unet(pipeline.unet, backend="reference")
    error = (drawn(pipeline, layout) - wanted).square().mean()
    return float(10 * torch.log10((wanted - wanted.mean()).square().mean() / error))


def _by_own_names(network: Any, tensors: Tensors) -> Tensors:
    """diffusers' names again: both tables have one order."""
    return dict(zip(network.state_dict(), tensors.values(), strict=True))


def rescheduled(scheduler: Any, said: str) -> Any:
    """A class and its settings, as the command line has them."""
    kind, _, settings = said.rstrip("}").partition("{")
    more = dict(one.split("=") for one in settings.split(","))
    return getattr(_diffusers, kind).from_config(scheduler.config, **more)


def picture() -> Image.Image:
    return Image.linear_gradient("L").convert("RGB").resize((2 * SIDE, 2 * SIDE))


def drawn(pipeline: Any, layout: Layout) -> torch.Tensor:
    """Pictures of each prompt, (2, 3, H, W)."""
    options: dict[str, Any] = {"num_inference_steps": 4, "output_type": "pt", **layout.drawn}
    if layout.pictures:
        options["image"] = picture()
        if "Inpaint" in type(pipeline).__name__:
            options["mask_image"] = Image.linear_gradient("L").resize((2 * SIDE, 2 * SIDE))
            options |= {"height": 2 * SIDE, "width": 2 * SIDE}
    else:
        options |= {"height": 2 * SIDE, "width": 2 * SIDE}
    found = [
        pipeline(prompt, generator=torch.Generator().manual_seed(7 + seed), **options).images
        for seed, prompt in enumerate(PROMPTS)
    ]
    return torch.cat(found)


if __name__ == "__main__":
    for one in sys.argv[1:] or LAYOUTS:
        with TemporaryDirectory() as folder:
            print(f"| `{one}` | {beside_float(one, Path(folder)):.1f} dB |", flush=True)
