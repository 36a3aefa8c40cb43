"""The VAE out of a checkpoint in one file: sizes from its shapes, names by diffusers' own converter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from diffusers import AutoencoderKL
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint
from torch import nn

from ...ir.errors import DgqcError
from .original_facts import LATENT_DEVIATION, LATENT_MEAN
from .original_weights import filled

PREFIX = "first_stage_model."
BLOCK = re.compile(r"encoder\.down\.(\d+)\.block\.(\d+)\.conv1\.weight", re.ASCII)
NORMED = 0.5
"""What latents are multiplied by whose mean and deviation are taken off."""
FIRST, LAST = "encoder.conv_in.weight", "decoder.conv_in.weight"


def vae_in(weights: Mapping[str, torch.Tensor], scaling_factor: float, source: str) -> nn.Module | None:
    """The VAE in evaluation mode with float32 weights; None where the file has none.

    scaling_factor: of its latents, which stands nowhere in the file.
    Raises DgqcError where weights are missing.
    """
    own = {name: one for name, one in weights.items() if name.startswith(PREFIX)}
    if not own:
        return None
    plain = {name.removeprefix(PREFIX): one for name, one in own.items()}
    places = [found for name in plain if (found := BLOCK.fullmatch(name))]
    if not places or FIRST not in plain or LAST not in plain:
        raise DgqcError(f"{source} holds a part of a VAE ({PREFIX}*) alone; give the whole checkpoint.")
    levels, layers = (1 + max(int(one[index]) for one in places) for index in (1, 2))
    config: dict[str, Any] = {
        "in_channels": plain[FIRST].shape[1],
        "out_channels": plain["decoder.conv_out.weight"].shape[0],
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "block_out_channels": [
            plain[f"encoder.down.{i}.block.0.conv1.weight"].shape[0] for i in range(levels)
        ],
        "layers_per_block": layers,
        "latent_channels": plain[LAST].shape[1],
        "scaling_factor": scaling_factor,
        **_latents(weights),
    }
    kind: Any = AutoencoderKL
    return filled(kind(**config), convert_ldm_vae_checkpoint(own, config), f"{source}: the VAE")


def _latents(weights: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Mean and deviation of latents, and what they are multiplied by, of a model whose file says so."""
    if LATENT_MEAN not in weights or LATENT_DEVIATION not in weights:
        return {}
    mean, deviation = (weights[one].flatten().tolist() for one in (LATENT_MEAN, LATENT_DEVIATION))
    return {"latents_mean": mean, "latents_std": deviation, "scaling_factor": NORMED}
