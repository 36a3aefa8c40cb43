"""What draws a picture of a prompt with all programs of a pipeline: `NAME_draw`, and a program around it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import torch

from ....ir.crossing import PICTURE_SCALE, Crossing, crossing, pixel_block, pixels
from ....ir.program import Input, Program
from ..layout.memory_plan import aligned
from .emit import output_of
from .literals import values
from .loop import loop_memory

UNET, TEXT_ENCODER, DECODER = "unet", "text_encoder", "decoder"
CONTEXT = "encoder_hidden_states"
FILES = {"draw.h": "include/{}_draw.h", "draw.c": "src/{}_draw.c", "draw_main.c": "draw.c"}
"""Templates, with where what they make goes; {} is the project's name."""


def draws(programs: Mapping[str, Program]) -> bool:
    """Whether a picture can be drawn of a prompt: by a UNet with a loop that takes one text encoder's states
    alone, a tokenizer with tables, and a decoder, or a UNet that works on pixels."""
    unet, encoder = next(iter(programs.values())), programs.get(TEXT_ENCODER)
    if unet.loop is None or encoder is None or encoder.tokenizer is None or unet.prologue is not None:
        return False
    shown = DECODER in programs or pixel_block(unet.inputs[0].shape[1]) is not None
    return shown and [one.name for one in unet.inputs[1:]] == [CONTEXT]


@dataclass(frozen=True)
class _Written:
    """A crossing's tables in C. run: elements side by side that share a factor; period: how many factors."""

    run: int
    period: int
    factors: str
    shifts: str


def write_drawing(
    environment: jinja2.Environment, programs: Mapping[str, Program], directory: Path, own: str, name: str
) -> None:
    """Writes the files into the joined project `own`, whose programs' names begin with `name`."""
    unet, encoder, decoder = next(iter(programs.values())), programs[TEXT_ENCODER], programs.get(DECODER)
    assert unet.loop is not None
    assert encoder.tokenizer is not None
    sample, context = unet.inputs
    pixel_shape = tuple(output_of(decoder or unet).meta["val"].shape)
    block = 1 if decoder is not None else pixel_block(pixel_shape[1]) or 1
    last = PICTURE_SCALE if decoder is None else _scale(decoder)
    elements, states, shown = (math.prod(one) for one in (sample.shape, context.shape, pixel_shape))
    tokens, draw_bytes = encoder.tokenizer.length, loop_memory(unet.loop, elements).bytes
    details: dict[str, Any] = {
        "name": own,
        "upper": own.upper(),
        "model": name,
        "model_upper": name.upper(),
        "unet": next(iter(programs)),
        "tokens": tokens,
        "ids": encoder.inputs[0].name,
        "states": states,
        "elements": elements,
        "pixels": shown,
        "channels": pixel_shape[1] // block**2,
        "height": pixel_shape[2] * block,
        "width": pixel_shape[3] * block,
        "block": block,
        "context": _written(crossing(_scale(encoder), context), context),
        "latent": None if decoder is None else _latent(decoder.inputs[0]),
        "factor": pixels(last).factor,
        "bytes": {
            "contexts": 2 * aligned(2 * states),
            "latent": aligned(2 * elements),
            # What is needed one after another lies in one place.
            "text": aligned(2 * tokens) + aligned(4 * tokens) + aligned(2 * states),
            "draw": draw_bytes,
            "shown": aligned(2 * elements) + aligned(2 * shown),
        },
        "aligned_states": aligned(2 * states),
        "aligned_elements": aligned(2 * elements),
        "aligned_ids": aligned(4 * tokens),
        "aligned_codes": aligned(2 * tokens),
        "weights_file": f"{own}_weights.bin",
    }
    for template, place in FILES.items():
        text = environment.get_template(f"{template}.jinja").render(details)
        (directory / place.format(own)).write_text(text, encoding="utf-8", newline="\n")


def _scale(program: Program) -> float:
    assert program.output_scale is not None
    return float(program.output_scale[0])


def _latent(given: Input) -> _Written:
    return _written(crossing(PICTURE_SCALE, given), given)


def _written(found: Crossing, given: Input) -> _Written:
    """Tables of a crossing to an input, as short as its channels allow."""
    axes = len(given.shape)
    factor, shift = (
        one.reshape((1,) * (axes - one.dim()) + tuple(one.shape)) for one in (found.factor, found.shift)
    )
    different = [axis for axis, size in enumerate(factor.shape) if size > 1]
    run = math.prod(given.shape[different[-1] + 1 :]) if different else 1
    if len(different) > 1:
        shape = (*given.shape[: different[-1] + 1], *([1] * (len(given.shape) - different[-1] - 1)))
        factor, shift = factor.expand(shape), shift.expand(shape)
    return _Written(run, factor.numel(), *(values(one.flatten().to(torch.int32)) for one in (factor, shift)))
