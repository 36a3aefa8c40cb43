"""What a checkpoint in one file says beside its UNet's weights: its other parts, what the UNet predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
MARKS = (MARK, TERMINAL)
STATED = ("modelspec.predict_key", "modelspec.prediction_type")
"""Keys of a file's metadata."""
ARCHITECTURE = "modelspec.architecture"
STEPS_OF_SD2_BASE = 875_000
"""Of training Stable Diffusion 2 for 512 pixels, which predicts noise; the one for 768 predicts velocity."""


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
