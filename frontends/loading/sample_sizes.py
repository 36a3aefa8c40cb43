"""How large a model's sample is: height and width; of a video its frames before them; of a sound one row."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from diffusers import UNet1DModel, UNet3DConditionModel, UNetMotionModel
from torch import nn

from ...ir.errors import DgqcError
from ...ir.sample_size import SampleSize

VIDEOS = (UNetMotionModel, UNet3DConditionModel)
"""Models whose sample is (B, C, frames, height, width)."""
FRAMES = 16
"""Of a video where nobody says how many; diffusers' pipelines draw as many."""


def own_size(model: nn.Module) -> SampleSize:
    """A model's own size. Raises DgqcError where its config doesn't say."""
    config: Any = getattr(model, "config", {})
    size = _said(config)
    if isinstance(model, UNet1DModel):
        return 1, size[-1]
    return (own_frames(model), *size) if isinstance(model, VIDEOS) else size


def own_frames(model: nn.Module, wanted: int | None = None) -> int:
    """How many frames a video of the model has where nobody says it: no more than it has positions for.

    wanted: by its pipeline, if that says it.
    """
    return min(wanted or FRAMES, _positions(model))


def sample_shape(model: nn.Module, channels: int, size: SampleSize | None) -> tuple[int, ...]:
    """The shape of one sample, (1, channels, ...). size: None takes the model's own.

    Raises DgqcError for a size that the model's samples can't have.
    """
    given = own_size(model) if size is None else tuple(size)
    if isinstance(model, VIDEOS) and len(given) == 2:
        given = (own_frames(model), *given)
    axes = 3 if isinstance(model, VIDEOS) else 2
    sounds = isinstance(model, UNet1DModel)
    if len(given) != axes or (sounds and given[0] != 1):
        kind = "frames x height x width" if axes == 3 else "1 x length" if sounds else "height x width"
        raise DgqcError(
            f"The sample size is {' x '.join(map(str, given))}, but a {type(model).__name__}'s is {kind}."
        )
    if axes == 3 and given[0] > _positions(model):
        raise DgqcError(
            f"The sample size has {given[0]} frames, but the {type(model).__name__} was trained for up to "
            f"{_positions(model)}; say fewer with --sample-size."
        )
    return (1, channels, given[1]) if sounds else (1, channels, *given)


def without_frames(inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The inputs of a video, contexts once for a video where they come once for each of its frames.

    Raises DgqcError for frames that have prompts of their own.
    """
    found, sample = dict(inputs), inputs.get("sample")
    context = inputs.get("encoder_hidden_states")
    if sample is None or context is None or sample.dim() != 5 or context.dim() != 3:
        return found
    videos, frames = sample.shape[0], sample.shape[2]
    if frames == 1 or len(context) != videos * frames:
        return found
    each = context.reshape(videos, frames, *context.shape[1:])
    if not torch.equal(each, each[:, :1].expand_as(each)):
        raise DgqcError(
            "The frames have prompts of their own, and a program takes one for all frames of a video; draw "
            "with one prompt."
        )
    found["encoder_hidden_states"] = each[:, 0]
    return found


def for_frames(model: nn.Module | None, arguments: dict[str, Any]) -> dict[str, Any]:
    """A call's arguments as the model takes them: a motion model is given the context of each frame."""
    context = arguments.get("encoder_hidden_states")
    if isinstance(model, UNetMotionModel) and context is not None:
        frames = arguments["sample"].shape[2]
        return {**arguments, "encoder_hidden_states": context.repeat_interleave(frames, dim=0)}
    return arguments


def _positions(model: nn.Module) -> int:
    """The most frames that motion modules tell apart."""
    config: Any = getattr(model, "config", {})
    return int(config.get("motion_max_seq_length") or sys.maxsize)


def _said(config: Mapping[str, Any]) -> SampleSize:
    size = config.get("sample_size")
    if isinstance(size, int):
        return size, size
    if isinstance(size, Sequence) and len(size) == 2:
        return int(size[0]), int(size[1])
    raise DgqcError(
        f"The model's config gives no sample size (it says {size!r}); say it with --sample-size, or pass "
        "sample_size=(height, width) of the latents."
    )
