"""UNets that are told the guidance scale, as latent consistency models: settled in their weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ...ir.errors import DgqcError

KEY = "time_cond_proj_dim"
"""Of a config: the width of the embedded scale."""
USUAL = 8.5
"""The scale where nobody says one, as diffusers' LatentConsistencyModelPipeline has it."""
ANGLE = 1000.0
"""What a scale is multiplied by, as timesteps are out of a thousand."""
LONGEST_PERIOD = 10_000.0


class SettledGuidance(nn.Module):
    """Stands where the scale's projection stood; what that would add is in the weights already."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, condition: torch.Tensor) -> torch.Tensor:
        """condition: (B, C). Returns (B, 1) zeros."""
        return torch.zeros_like(condition[:, :1])


def takes_guidance(config: object) -> bool:
    """Whether a UNet of this config is told the guidance scale.

    A latent upscaler, whose time is Fourier's, is told its noise and a pooled text there: an input.
    """
    if not isinstance(config, Mapping):
        return False  # of somebody's own module
    return config.get(KEY) is not None and config.get("time_embedding_type") in (None, "positional")


def settled_guidance(model: nn.Module) -> float | None:
    """The scale that is a part of the model's weights; None where none is."""
    projection = getattr(getattr(model, "time_embedding", None), "cond_proj", None)
    return projection.scale if isinstance(projection, SettledGuidance) else None


def refuse_unsettled(model: nn.Module) -> None:
    """Raises DgqcError for a model that is told the guidance scale, and isn't settled on one."""
    if takes_guidance(getattr(model, "config", {})) and settled_guidance(model) is None:
        raise DgqcError(
            "The model is told the guidance scale, and none is settled; compile it with --guidance-scale, or "
            "capture what dgqc.frontends.loading.guidance.with_guidance gives."
        )


def guidance_embedding(scale: float, width: int) -> torch.Tensor:
    """A scale as pipelines embed it: sines, then cosines, of the scale less one, float32 (1, width)."""
    half = width // 2
    periods = torch.exp(torch.arange(half, dtype=torch.float32) * (-math.log(LONGEST_PERIOD) / (half - 1)))
    angles = torch.tensor([[(scale - 1) * ANGLE]], dtype=torch.float32) * periods
    sinusoids = torch.cat([angles.sin(), angles.cos()], dim=1)
    return torch.nn.functional.pad(sinusoids, (0, width - 2 * half))


def with_guidance(model: nn.Module, scale: float) -> nn.Module:
    """The model with one guidance scale for good; itself where it takes none.

    A scale adds the same to every timestep's sinusoids, so it adds the same to what the first layer of the
    time embedding gives: to its bias. Weights are shared with the model, which is left as it was.
    Raises DgqcError for a scale that is no number.
    """
    config: Any = getattr(model, "config", {})
    if not takes_guidance(config) or settled_guidance(model) is not None:
        return model
    if not math.isfinite(scale):
        raise DgqcError(f"The guidance scale is {scale}, but a number such as {USUAL} is needed.")
    settled: Any = _shallow(model)
    embedding: Any = _shallow(settled.time_embedding)
    first: Any = _shallow(embedding.linear_1)
    with torch.no_grad():
        embedded = guidance_embedding(scale, int(config[KEY])).to(first.weight)
        added = nn.functional.linear(embedding.cond_proj(embedded), first.weight)[0]
        first.bias = nn.Parameter(added if first.bias is None else first.bias + added, requires_grad=False)
    embedding.linear_1, embedding.cond_proj = first, SettledGuidance(scale)
    settled.time_embedding = embedding
    return settled  # type: ignore[no-any-return]


def _shallow(module: nn.Module) -> nn.Module:
    """A module with the same layers and weights, of which others can take the places."""
    found = copy.copy(module)
    found._modules, found._parameters = dict(module._modules), dict(module._parameters)
    return found
