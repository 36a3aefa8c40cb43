"""Every pipeline class of diffusers that has a UNet, around the smallest parts, as far as these fit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import diffusers
import picture_adapters
import text_parts
import torch
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

UNETS = ("UNet2DConditionModel", "UNet2DModel", "AudioLDM2UNet2DConditionModel")
"""Those that dgqc compiles."""
PROJECTED, IDS = 12, 6
"""Numbers of a pooled text embedding; time ids of SDXL."""
CHANNELS = {"InpaintPipeline": 9, "Pix2PixPipeline": 8, "UpscalePipeline": 7}
"""Of a UNet's sample, by how the pipeline's name ends; four in all others, and those with a ControlNet."""


SCHEDULERS: Mapping[str, Callable[[], Any]] = {
    "LatentConsistencyModelPipeline": diffusers.LCMScheduler,
    "LatentConsistencyModelImg2ImgPipeline": diffusers.LCMScheduler,
    "KarrasVePipeline": diffusers.KarrasVeScheduler,
    "PNDMPipeline": diffusers.PNDMScheduler,
    "ScoreSdeVePipeline": diffusers.ScoreSdeVeScheduler,
}
"""Of pipelines that want their own; DDIM in others."""


@cache
def classes() -> Mapping[str, type]:
    """The pipelines with a UNet of ours, by name."""
    found = {}
    for name in dir(diffusers):
        kind = getattr(diffusers, name) if name.endswith("Pipeline") and "Onnx" not in name else None
        if inspect.isclass(kind) and issubclass(kind, diffusers.DiffusionPipeline):
            unet = inspect.signature(kind.__init__).parameters.get("unet")
            if unet is not None and any(one in str(unet.annotation) for one in UNETS):
                found[name] = kind
    return found


def text_encoder_2() -> Any:
    """As SDXL's second one."""
    config = text_parts.text_encoder().config.to_dict()
    return CLIPTextModelWithProjection(CLIPTextConfig(**{**config, "projection_dim": PROJECTED})).eval()


def unet_for(name: str) -> Any:
    """A UNet as the pipeline wants it."""
    plain = "ControlNet" in name
    channels = 4 if plain else next((count for end, count in CHANNELS.items() if name.endswith(end)), 4)
    options: dict[str, Any] = {"in_channels": channels}
    if "XL" in name:
        options |= {
            "cross_attention_dim": 2 * text_parts.WIDTH,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 4,
            "projection_class_embeddings_input_dim": PROJECTED + 4 * IDS,
        }
    if "ControlNetXS" in name:  # which norms in 32 groups
        options |= {"block_out_channels": (32,), "norm_num_groups": 32, "layers_per_block": 2}
    if name.startswith("LatentConsistency"):
        options["time_cond_proj_dim"] = 8
    if name == "StableDiffusionUpscalePipeline":
        options["num_class_embeds"] = 400
    return text_parts.unet(**options)


def unconditional() -> Any:
    """A UNet2DModel of one level."""
    torch.manual_seed(0)
    return diffusers.UNet2DModel(
        sample_size=8,
        layers_per_block=1,
        block_out_channels=(8,),
        norm_num_groups=4,
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
        add_attention=False,
    ).eval()


def _controlnet(unet: Any) -> Any:
    return diffusers.ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 8)).eval()


def _adapter(unet: Any) -> Any:
    return diffusers.T2IAdapter(
        in_channels=3, channels=[8], num_res_blocks=1, downscale_factor=2, adapter_type="full_adapter"
    )


def _joined_controlnet(unet: Any) -> Any:
    """One that is made a part of the UNet."""
    return diffusers.ControlNetXSAdapter.from_unet(
        unet, size_ratio=1.0, conditioning_embedding_out_channels=(4, 8), learn_time_embedding=True
    ).eval()


def movq() -> Any:
    """Kandinsky's autoencoder."""
    torch.manual_seed(0)
    blocks = {"down_block_types": ["DownEncoderBlock2D"] * 2, "up_block_types": ["AttnUpDecoderBlock2D"] * 2}
    return diffusers.VQModel(
        block_out_channels=[32, 32], latent_channels=4, norm_type="spatial", **blocks
    ).eval()


PARTS: Mapping[str, Callable[[Any], Any]] = {
    "vae": lambda _: text_parts.vae(),
    "vqvae": lambda _: text_parts.vae(),
    "movq": lambda _: movq(),
    "bert": lambda _: text_parts.text_encoder(),
    "text_encoder": lambda _: text_parts.text_encoder(),
    "text_encoder_2": lambda _: text_encoder_2(),
    "tokenizer": lambda _: text_parts.tokenizer(),
    "tokenizer_2": lambda _: text_parts.tokenizer(),
    "scheduler": lambda _: diffusers.DDIMScheduler(),
    "low_res_scheduler": lambda _: diffusers.DDPMScheduler(),
    "image_noising_scheduler": lambda _: diffusers.DDPMScheduler(),
    "inverse_scheduler": lambda _: diffusers.DDIMInverseScheduler(),
    "controlnet": _controlnet,
    "adapter": _adapter,
    "image_encoder": lambda _: picture_adapters.image_encoder(),
    "feature_extractor": lambda _: picture_adapters.processor(),
    "requires_safety_checker": lambda _: False,
}
"""By the name that constructors have for a part; others are left out, or null."""


def built(name: str) -> Any:
    """The pipeline. Raises whatever its constructor does where these parts are none of its."""
    kind = classes()[name]
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    takes_nothing = len(parameters) == 2
    unet = unconditional() if takes_nothing else unet_for(name)
    given: dict[str, Any] = {"unet": unet}
    for one in parameters:
        if one.name in PARTS:
            joined = one.name == "controlnet" and "ControlNetXS" in name
            given[one.name] = (_joined_controlnet if joined else PARTS[one.name])(unet)
            if one.name == "scheduler" and name in SCHEDULERS:
                given[one.name] = SCHEDULERS[name]()
        elif one.name != "unet" and one.default is inspect.Parameter.empty:
            given[one.name] = None
    return kind(**given)
