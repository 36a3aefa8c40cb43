"""Decoders as parts: from a pipeline's latents to its pixels, -1 to 1, scaling and shift included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from torch import nn

from ...ir.errors import UnsupportedOperation
from ..calibrating.drawings import Drawings
from .part import BATCH, Part, called_with, exported

DECODER, COMPONENT = "decoder", "vae"
"""The part's name, and that of what it is a part of in pipelines."""
PICTURES = 8
"""Whose latents calibrate a decoder, where a picture doesn't take minutes."""


class Latents:
    """How a pipeline's latents and what its autoencoder decodes are made of one another, channel by channel.

    scale, shift: decoded = latents * scale + shift; numbers, or float32 (1, C, 1, 1).
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        """config: of the autoencoder."""
        factor = float(config.get("scaling_factor") or 1.0)
        mean, deviation = config.get("latents_mean"), config.get("latents_std")
        self.scale: float | torch.Tensor = 1 / factor
        self.shift: float | torch.Tensor = float(config.get("shift_factor") or 0.0)
        if mean is not None and deviation is not None:
            self.scale = torch.tensor(deviation).reshape(1, -1, 1, 1) / factor
            self.shift = torch.tensor(mean).reshape(1, -1, 1, 1)

    def decoded(self, latents: torch.Tensor) -> torch.Tensor:
        """What the autoencoder is given."""
        return latents * self.scale + self.shift

    def undone(self, decoded: torch.Tensor) -> torch.Tensor:
        """The pipeline's latents of what the autoencoder is given."""
        return (decoded - self.shift) / self.scale


class _Decoder(nn.Module):
    """An autoencoder's half that pipelines draw with."""

    def __init__(self, autoencoder: Any) -> None:
        super().__init__()
        self.model = autoencoder
        self.latents = Latents(autoencoder.config)

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        pixels: torch.Tensor = self.model.decode(self.latents.decoded(sample), return_dict=False)[0]
        return pixels


def decoder_part(
    drawings: Drawings,
    size: tuple[int, int],
    seed: int,
    count: int = PICTURES,
    again: Callable[[], Drawings] | None = None,
) -> Part:
    """The decoder of the drawing pipeline. size: height and width of its latents.

    count: pictures whose latents calibrate it, drawn unless they are there already.
    again: the same drawings once samples are needed, so that no other part's weights wait until then.

    Raises UnsupportedOperation for an autoencoder that dgqc does not know.
    """
    autoencoder = drawings.pipeline.vae
    kind = type(autoencoder).__name__
    if not isinstance(autoencoder, AutoencoderKL | AutoencoderTiny):
        raise UnsupportedOperation(
            f"The pipeline's {COMPONENT}, a {kind}, is neither an AutoencoderKL nor an AutoencoderTiny."
        )
    example = torch.zeros(1, int(autoencoder.config.latent_channels), *size)
    model = exported(_Decoder(autoencoder), example, kind, COMPONENT)
    origin = f"latents of {drawings.origin(count)}, seed {seed}"
    later = again or (lambda: drawings)
    return Part(DECODER, model, called_with("sample", origin, lambda: later().latents(count, BATCH, seed)))
