"""What a checkpoint in one file says beside its UNet's weights: its other parts, what the UNet predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ...ir.errors import DgqcError

PARTS: Mapping[str, tuple[str, ...]] = {
    "text encoder": ("cond_stage_model.", "conditioner.", "text_encoders.", "text_encoder."),
    "VAE": ("first_stage_model.", "vae."),
    "ControlNet": ("control_model.",),
    "picture encoder": ("embedder.", "image_encoder."),
}
"""By what they are, what the names of weights begin with."""
VELOCITY, NOISE = "v_prediction", "epsilon"
MARK, TERMINAL = "v_pred", "ztsnr"
"""Names without a weight, which trainers add to a model that predicts velocity, and to one that was trained
with noise alone at the last timestep."""
LATENT_MEAN, LATENT_DEVIATION = "edm_mean", "edm_std"
"""Of latents by channel, which stand in Playground 2.5's file alone."""
HIGHEST, LOWEST = "edm_vpred.sigma_max", "edm_vpred.sigma_min"
"""Noise levels, which stand in the files of CosXL and of what came of it."""
MARKS = (MARK, TERMINAL, LATENT_MEAN, LATENT_DEVIATION, HIGHEST, LOWEST)
STATED = ("modelspec.predict_key", "modelspec.prediction_type")
"""Keys of a file's metadata."""
ARCHITECTURE = "modelspec.architecture"
LOUDEST = 1e6
"""Beyond any noise level."""
STEPS_OF_SD2_BASE = 875_000
"""Of training Stable Diffusion 2 for 512 pixels, which predicts noise; the one for 768 predicts velocity."""


PLAYGROUND = {
    "_class_name": "EDMDPMSolverMultistepScheduler",
    "sigma_data": 0.5,
    "sigma_max": 80.0,
    "sigma_min": 0.002,
    "prediction_type": "epsilon",
}
COSXL = {"_class_name": "EDMEulerScheduler", "sigma_data": 1.0, "prediction_type": VELOCITY}


def by_noise_level(weights: Mapping[str, Any], source: str) -> Mapping[str, Any] | None:
    """Who calls a model that is told noise levels as Karras and others tell them (EDM): a scheduler's config.

    None for models of another kind. Raises DgqcError for levels between which nothing is.
    """
    if LATENT_MEAN in weights and LATENT_DEVIATION in weights:
        return PLAYGROUND
    if HIGHEST not in weights:
        return None
    highest, lowest = _number(weights[HIGHEST], 120.0), _number(weights.get(LOWEST), 0.002)
    if not 0 < lowest < highest < LOUDEST:
        raise DgqcError(
            f"{source} names noise levels from {lowest:g} to {highest:g}, between which no model draws; copy "
            "it again."
        )
    return {**COSXL, "sigma_max": highest, "sigma_min": lowest}


def _number(value: Any, default: float) -> float:
    return float(value.float()) if isinstance(value, torch.Tensor) and value.numel() == 1 else default


def parts_beside(weights: Mapping[str, Any]) -> Sequence[str]:
    """The parts of a model that a file holds beside the UNet."""
    return [part for part, starts in PARTS.items() if any(name.startswith(starts) for name in weights)]


@dataclass(frozen=True)
class Said:
    """What a file says of itself. metadata: of safetensors. steps: of training, in pickled checkpoints."""

    metadata: Mapping[str, str]
    steps: object = None


NOTHING_SAID = Said({})


def predicted(weights: Mapping[str, Any], said: Said, second: bool) -> str | None:
    """What the UNet predicts, as a scheduler calls it; None where the file doesn't say and both are usual.

    second: whether the UNet has the form of Stable Diffusion 2.
    """
    metadata, steps = said.metadata, said.steps
    if MARK in weights:
        return VELOCITY
    for key in STATED:
        if (stated := metadata.get(key, "").lower()) in ("v", "v_prediction", "velocity", "epsilon"):
            return NOISE if stated == "epsilon" else VELOCITY
    if metadata.get(ARCHITECTURE, "").startswith("stable-diffusion-v2-768-v"):
        return VELOCITY
    if not second:
        return NOISE
    if isinstance(steps, int) and steps > 0:
        return NOISE if steps == STEPS_OF_SD2_BASE else VELOCITY
    return NOISE if metadata.get(ARCHITECTURE, "").startswith("stable-diffusion-v2") else None
