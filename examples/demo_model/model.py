"""The demo model's parts: UNet, text encoder, tokenizer, scheduler, and its lossless latent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diffusers
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from .pictures import PICTURE_SIZE, reworded, vocabulary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_diffusers: Any = diffusers  # their annotations are partial, so calls into them go unchecked
_transformers: Any = transformers

TEXT_LENGTH = 16
"""Tokens per prompt, ``<start>``, ``<end>`` and padding included."""

TRAIN_TIMESTEPS = 1000


@dataclass(frozen=True)
class Design:
    """The sizes of a model of these pictures.

    block: side of the pixel squares that space-to-depth moves into channels. text_width, text_layers,
    text_heads: of the text encoder. unet: further arguments of a ``UNet2DConditionModel``.
    """

    block: int
    text_width: int
    text_layers: int
    text_heads: int
    unet: Mapping[str, Any] = field(hash=False)

    @property
    def latent(self) -> tuple[int, int]:
        """Channels and side of a latent."""
        return 3 * self.block**2, PICTURE_SIZE // self.block


DEMO = Design(
    block=2,
    text_width=128,
    text_layers=2,
    text_heads=4,
    unet={
        "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        "block_out_channels": (64, 128, 128),
        "attention_head_dim": (2, 4, 4),
        "norm_num_groups": 16,
    },
)
"""The demo model: latents [N, 12, 16, 16], cross attention at 16x16 and 8x8."""


def space_to_depth(pictures: torch.Tensor, block: int = DEMO.block) -> torch.Tensor:
    """Latents [N, 3 block^2, 32 / block, 32 / block] of pictures [N, 3, 32, 32]; only moves values."""
    return torch.nn.functional.pixel_unshuffle(pictures, block)


def depth_to_space(latents: torch.Tensor) -> torch.Tensor:
    """Pictures [N, 3, 32, 32] of latents of any block; the inverse of :func:`space_to_depth`."""
    return torch.nn.functional.pixel_shuffle(latents, math.isqrt(latents.shape[1] // 3))


def to_latents(pictures: NDArray[np.uint8], block: int = DEMO.block) -> torch.Tensor:
    """Latents float32[N, 3 block^2, 32 / block, 32 / block] in -1..1 of pictures uint8[N, 32, 32, 3]."""
    values = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    return space_to_depth(values / 127.5 - 1.0, block)


def to_pictures(latents: torch.Tensor) -> NDArray[np.uint8]:
    """Pictures uint8[N, 32, 32, 3] of latents of any block, values outside -1..1 clipped."""
    values = (depth_to_space(latents.detach().float()) + 1.0) * 127.5
    array: NDArray[np.uint8] = values.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    return array


def build_tokenizer(words: Mapping[str, str] | None = None) -> Any:
    """A ``PreTrainedTokenizerFast`` of whole words: ``<start>``, the words, ``<end>``, padding to 16.

    words: other words in the place of some of the grammar's.
    """
    special = ["<pad>", "<start>", "<end>", "<unknown>"]
    known = [reworded(word, words or {}) for word in vocabulary()]
    numbers = {word: index for index, word in enumerate([*special, *known])}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token="<unknown>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>",
        special_tokens=[("<start>", numbers["<start>"]), ("<end>", numbers["<end>"])],
    )
    return _transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<start>",
        eos_token="<end>",
        pad_token="<pad>",
        unk_token="<unknown>",
        model_max_length=TEXT_LENGTH,
        padding_side="right",
    )


def build_text_encoder(tokenizer: Any, design: Design = DEMO) -> torch.nn.Module:
    """An untrained ``CLIPTextModel``: tokens [N, 16] to states [N, 16, text width]."""
    config = _transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=design.text_width,
        intermediate_size=4 * design.text_width,
        projection_dim=design.text_width,
        num_hidden_layers=design.text_layers,
        num_attention_heads=design.text_heads,
        max_position_embeddings=TEXT_LENGTH,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    text_encoder: torch.nn.Module = _transformers.CLIPTextModel(config)
    return text_encoder


def build_unet(design: Design = DEMO) -> Any:
    """An untrained ``UNet2DConditionModel`` of latents of the design."""
    channels, side = design.latent
    return _diffusers.UNet2DConditionModel(
        sample_size=side,
        in_channels=channels,
        out_channels=channels,
        layers_per_block=1,
        cross_attention_dim=design.text_width,
        **design.unet,
    )


def build_scheduler() -> Any:
    """A ``DDIMScheduler``: the UNet predicts the clean latent, and the last timestep is pure noise."""
    return _diffusers.DDIMScheduler(
        num_train_timesteps=TRAIN_TIMESTEPS,
        beta_start=0.0001,
        beta_end=0.02,
        beta_schedule="linear",
        prediction_type="sample",
        clip_sample=False,
        set_alpha_to_one=True,
        rescale_betas_zero_snr=True,
        steps_offset=1,
        timestep_spacing="trailing",
    )


def save_pipeline(pipeline: Any, folder: Path) -> None:
    """Writes its folder so that transformers of either major version read it: what the fifth calls a
    `TokenizersBackend` both know as `PreTrainedTokenizerFast`."""
    pipeline.save_pretrained(folder)
    for file in (folder / "model_index.json", folder / "tokenizer" / "tokenizer_config.json"):
        file.write_text(file.read_text().replace("TokenizersBackend", "PreTrainedTokenizerFast"))


def build_pipeline(unet: torch.nn.Module, text_encoder: torch.nn.Module, tokenizer: Any) -> Any:
    """A whole ``StableDiffusionPipeline`` without a VAE; use it with ``output_type="latent"``."""
    return _diffusers.StableDiffusionPipeline(
        vae=None,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
