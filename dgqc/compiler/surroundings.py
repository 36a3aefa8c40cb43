"""What whole pictures of a pipeline are made of besides their texts, kept with a program that draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from ..bundle.manifest import InputShape
from ..execution.boundary import to_integers
from ..frontends.calibrating.pipeline_calls import own_guidance
from ..frontends.loading.guidance import takes_guidance
from ..frontends.loading.model_inputs import model_config
from ..ir.calibration import Calibration
from ..ir.picture import FixedInput, PictureFacts, pixel_block
from ..ir.program import Program

SIZES = ("time_ids",)
"""Inputs that say how large a picture is and nothing else; programs are of one size."""


IMAGES = 4
"""Axes of a sample of pictures."""
UNGUIDED = 1.0
"""A scale of guidance that leads nowhere."""


@dataclass(frozen=True)
class Surroundings:
    """What is known of a pipeline around a UNet.

    decodes: whether an autoencoder makes pixels of its samples. zeros: whether it gives zeros in the place of
    an empty text's states. sizes: `SIZES` that it gives every picture, (1, ...), by name. guidance: the scale
    that it is to draw with; 1 is none.
    """

    decodes: bool
    zeros: bool = False
    sizes: Mapping[str, torch.Tensor] = field(default_factory=dict)
    guidance: float = UNGUIDED


def surroundings_of(pipeline: Any, calls: Calibration | None, guidance: float | None) -> Surroundings:
    """Of a pipeline. calls: as it makes them; None where nobody knows. guidance: the scale that is asked for,
    None for the pipeline's own."""
    parts = getattr(pipeline, "components", {}).values()
    decodes = any(isinstance(part, nn.Module) and hasattr(part, "decode") for part in parts)
    zeros = bool(getattr(pipeline.config, "force_zeros_for_empty_prompt", False))
    scale = own_guidance(pipeline) if guidance is None else guidance
    told = takes_guidance(model_config(pipeline.unet))
    guided = scale is not None and scale > UNGUIDED and not told
    sizes = {} if calls is None else _same_sizes(calls)
    return Surroundings(decodes, zeros, sizes, float(scale) if guided and scale else UNGUIDED)


def _same_sizes(calls: Calibration) -> dict[str, torch.Tensor]:
    """Those that are the same in every sample."""
    found: dict[str, torch.Tensor] = {}
    for batch in calls.read(0):
        for name in SIZES:
            if name in batch:
                first = found.setdefault(name, batch[name][:1])
                if not bool((batch[name] == first).all()):
                    return {}
    return found


def with_picture(
    program: Program, around: Surroundings | None, model_inputs: tuple[InputShape, ...]
) -> Program:
    """A program with a loop, with what pictures are drawn with. model_inputs: what the model itself takes.

    around: None for a model that came alone. Videos and sounds are no pictures: their pipelines make them.
    """
    if program.loop is None or around is None or len(program.inputs[0].shape) != IMAGES:
        return program
    block = None if around.decodes else pixel_block(program.inputs[0].shape[1])
    fixed = _fixed(program, around, model_inputs)
    return replace(program, picture=PictureFacts(block, fixed, around.zeros, around.guidance))


def _fixed(
    program: Program, around: Surroundings, model_inputs: tuple[InputShape, ...]
) -> tuple[FixedInput, ...]:
    """Codes of the program's inputs that sizes alone decide: the same for any other input of the model."""
    if not around.sizes:
        return ()
    answers = []
    for value in (0.0, 1.0):
        others = {one.name: torch.full(one.shape, value) for one in model_inputs}
        answers.append(to_integers(program, {**others, **around.sizes}, 0))
    one, other = answers
    names = [given.name for given in program.inputs[1:]]
    return tuple(FixedInput(name, one[name]) for name in names if torch.equal(one[name], other[name]))
