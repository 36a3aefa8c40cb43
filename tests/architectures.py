"""Small seeded UNets with the topologies that users bring, and the published ones on the meta device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from diffusers import UNet2DConditionModel, UNet2DModel
from torch import nn

CONTEXT_LENGTH = 7
"""Tokens of context in `example_inputs`."""

UNet = UNet2DConditionModel | UNet2DModel


def demo_like() -> UNet2DConditionModel:
    """Three levels, attention at the outer two, one resnet a level: the demo model's shape."""
    return _conditional(
        sample_size=8,
        in_channels=12,
        out_channels=12,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(16, 24, 32),
        layers_per_block=1,
        attention_head_dim=(2, 3, 4),
    )


def stable_diffusion_1() -> UNet2DConditionModel:
    """Four levels, two resnets each, 1x1 convolutions around the transformers, two heads everywhere."""
    return _conditional(
        down_block_types=(*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
        up_block_types=("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
        block_out_channels=(8, 16, 24, 24),
        layers_per_block=2,
        attention_head_dim=2,
    )


def stable_diffusion_2() -> UNet2DConditionModel:
    """Four levels, one resnet each, linear projections around the transformers, heads per block."""
    return _conditional(
        down_block_types=(*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
        up_block_types=("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
        block_out_channels=(8, 16, 24, 24),
        layers_per_block=1,
        attention_head_dim=(1, 2, 3, 3),
        use_linear_projection=True,
        upcast_attention=True,
    )


def stable_diffusion_xl() -> UNet2DConditionModel:
    """Attention at the inner level alone, two transformer blocks there, text and time ids beside the time."""
    return _conditional(
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2),
        attention_head_dim=(1, 2),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=20 + 6 * 8,
    )


def unconditional() -> UNet2DModel:
    """A UNet2DModel with its own attention blocks and one-sided padding in its downsamplers."""
    torch.manual_seed(0)
    return _randomized(
        UNet2DModel(
            sample_size=8,
            down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
            block_out_channels=(8, 16, 24),
            layers_per_block=1,
            attention_head_dim=8,
            norm_num_groups=4,
            downsample_padding=0,
            freq_shift=1,
            flip_sin_to_cos=False,
        )
    )


def small() -> UNet2DModel:
    """One level with attention in its middle: for tests of what learns or happens around a model."""
    torch.manual_seed(0)
    return _randomized(
        UNet2DModel(
            sample_size=8,
            down_block_types=("DownBlock2D",),
            up_block_types=("UpBlock2D",),
            block_out_channels=(8,),
            layers_per_block=1,
            attention_head_dim=4,
            norm_num_groups=4,
        )
    )


def two_levels() -> UNet2DModel:
    """Two levels with attention between them: for tests that tell presets apart by what they do."""
    torch.manual_seed(0)
    return _randomized(
        UNet2DModel(
            sample_size=8,
            down_block_types=("DownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "UpBlock2D"),
            block_out_channels=(8, 16),
            layers_per_block=1,
            attention_head_dim=8,
            norm_num_groups=4,
        )
    )


def resnet_resampling() -> UNet2DModel:
    """A UNet2DModel that resamples inside resnets (average pooling) with scale and shift norms."""
    torch.manual_seed(0)
    return _randomized(
        UNet2DModel(
            sample_size=8,
            down_block_types=("ResnetDownsampleBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "ResnetUpsampleBlock2D"),
            block_out_channels=(8, 16),
            layers_per_block=1,
            attention_head_dim=8,
            norm_num_groups=4,
            resnet_time_scale_shift="scale_shift",
            downsample_type="resnet",
            upsample_type="resnet",
        )
    )


def class_conditional() -> UNet2DModel:
    """A UNet2DModel that adds a learned class embedding to the time embedding."""
    torch.manual_seed(0)
    return _randomized(
        UNet2DModel(
            sample_size=8,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            block_out_channels=(8, 16),
            layers_per_block=1,
            attention_head_dim=8,
            norm_num_groups=4,
            num_class_embeds=10,
        )
    )


def scale_shift() -> UNet2DConditionModel:
    """The time embedding scales and shifts the norms; two resnets a level."""
    return _conditional(resnet_time_scale_shift="scale_shift", layers_per_block=2)


def one_transformer() -> UNet2DConditionModel:
    """One level with a single transformer: for tests of what happens around a model with a context."""
    return _conditional(
        in_channels=12,
        out_channels=12,
        down_block_types=("CrossAttnDownBlock2D",),
        mid_block_type=None,
        up_block_types=("UpBlock2D",),
        block_out_channels=(8,),
    )


def only_cross_attention() -> UNet2DConditionModel:
    """Both attentions of a transformer block look at the context."""
    return _conditional(only_cross_attention=True)


def not_square() -> UNet2DConditionModel:
    """A sample of 9 x 14: not square, and odd sizes on the way down."""
    return _conditional(
        sample_size=(9, 14),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(8, 16, 16),
        layers_per_block=(1, 2, 1),
    )


ARCHITECTURES: dict[str, Callable[[], UNet]] = {
    "demo_like": demo_like,
    "stable_diffusion_1": stable_diffusion_1,
    "stable_diffusion_2": stable_diffusion_2,
    "stable_diffusion_xl": stable_diffusion_xl,
    "unconditional": unconditional,
    "resnet_resampling": resnet_resampling,
    "class_conditional": class_conditional,
    "scale_shift": scale_shift,
    "only_cross_attention": only_cross_attention,
    "not_square": not_square,
}


def stable_diffusion_1_full() -> UNet2DConditionModel:
    """Stable Diffusion v1.4's UNet on the meta device: 859.5 million parameters, 64 x 64 latents."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            sample_size=64,
            block_out_channels=(320, 640, 1280, 1280),
            cross_attention_dim=768,
            attention_head_dim=8,
        )
    return unet.eval()


def stable_diffusion_xl_full() -> UNet2DConditionModel:
    """Stable Diffusion XL's UNet on the meta device: 2567.5 million parameters, 128 x 128 latents."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(
            sample_size=128,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            block_out_channels=(320, 640, 1280),
            transformer_layers_per_block=(1, 2, 10),
            attention_head_dim=(5, 10, 20),
            cross_attention_dim=2048,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816,
        )
    return unet.eval()


def example_inputs(unet: UNet, batch: int = 1, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random inputs by the captured graph's names, without the timestep, on the CPU.

    `sample` (B, C, H, W), `encoder_hidden_states` (B, 7, D), `class_labels` (B,) int64,
    `text_embeds` (B, E) and `time_ids` (B, 6), those that the model takes.
    """
    config = unet.config
    generator = torch.Generator().manual_seed(seed)
    size = config["sample_size"]
    height, width = (size, size) if isinstance(size, int) else size
    inputs = {"sample": torch.randn(batch, config["in_channels"], height, width, generator=generator)}
    if isinstance(unet, UNet2DConditionModel):
        context = config["cross_attention_dim"]
        inputs["encoder_hidden_states"] = torch.randn(batch, CONTEXT_LENGTH, context, generator=generator)
    if config["num_class_embeds"] is not None:
        inputs["class_labels"] = torch.randint(0, config["num_class_embeds"], (batch,), generator=generator)
    if config.get("addition_embed_type") == "text_time":
        text = config["projection_class_embeddings_input_dim"] - 6 * config["addition_time_embed_dim"]
        inputs["text_embeds"] = torch.randn(batch, text, generator=generator)
        inputs["time_ids"] = torch.tensor([[64.0, 48.0, 0.0, 3.0, 64.0, 64.0]]).repeat(batch, 1)
        inputs["time_ids"] += torch.arange(batch)[:, None]
    return inputs


def run_model(unet: UNet, inputs: dict[str, torch.Tensor], timestep: float) -> torch.Tensor:
    """The model's own answer to `example_inputs`: (B, C, H, W)."""
    arguments: dict[str, Any] = dict(inputs)
    if "text_embeds" in arguments:
        arguments["added_cond_kwargs"] = {name: arguments.pop(name) for name in ("text_embeds", "time_ids")}
    with torch.no_grad():
        output: torch.Tensor = unet(**arguments, timestep=torch.tensor([timestep]), return_dict=False)[0]
    return output


def _conditional(**options: Any) -> UNet2DConditionModel:
    torch.manual_seed(0)
    defaults: dict[str, Any] = {
        "sample_size": 8,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "attention_head_dim": 2,
        "norm_num_groups": 4,
        "cross_attention_dim": 20,
    }
    return _randomized(UNet2DConditionModel(**{**defaults, **options}))


def _randomized(unet: UNet) -> Any:
    """The same UNet with nothing trivially zero or one: norms and biases get random values."""
    with torch.no_grad():
        for module in unet.modules():
            if isinstance(module, nn.GroupNorm | nn.LayerNorm):
                module.weight.add_(0.3 * torch.randn_like(module.weight))
                module.bias.add_(0.3 * torch.randn_like(module.bias))
            elif isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                module.bias.add_(0.1 * torch.randn_like(module.bias))
    return unet.eval()
