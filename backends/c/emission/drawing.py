"""What draws a picture of a prompt with all programs of a pipeline: `NAME_draw`, and a program around it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import torch

from ....ir.crossing import PICTURE_SCALE, Crossing, crossing, pixels
from ....ir.drawing import fixed_guidance
from ....ir.errors import DgqcError
from ....ir.picture import PictureFacts
from ....ir.program import Input, Program
from ....ir.text_inputs import TEXT_ENCODERS, TextInput, TextRuns, text_inputs
from ..layout.memory_plan import aligned
from .emit import output_of
from .literals import values
from .loop import loop_memory_of

DECODER = "decoder"
FILES = {"draw.h": "include/{}_draw.h", "draw.c": "src/{}_draw.c", "draw_main.c": "draw.c"}
"""Templates, with where what they make goes; {} is the project's name."""


def draws(programs: Mapping[str, Program]) -> bool:
    """Whether a picture can be drawn of a prompt: by a UNet with a loop that takes text encoders' states,
    tokenizers with tables, and a decoder, or a UNet that works on pixels."""
    unet, encoders = next(iter(programs.values())), _encoders(programs)
    if unet.loop is None or not encoders or any(one.tokenizer is None for one in encoders.values()):
        return False
    try:
        text_inputs(unet, encoders)
    except DgqcError:
        return False
    return DECODER in programs or (unet.picture is not None and unet.picture.block is not None)


def _encoders(programs: Mapping[str, Program]) -> dict[str, Program]:
    return {name: programs[name] for name in TEXT_ENCODERS if name in programs}


@dataclass(frozen=True)
class _Written:
    """A crossing's tables in C. run: elements side by side that share a factor; period: how many factors."""

    run: int
    period: int
    factors: str
    shifts: str


@dataclass(frozen=True)
class _Encoder:
    """One text encoder in C. ids: its input. states: numbers of its output. pieces: where they go."""

    member: str
    ids: str
    tokens: int
    states: int
    pieces: tuple[_Copied, ...]


@dataclass(frozen=True)
class _Copied:
    """A piece of an encoder's output in C. offset: of its input, in bytes, among those of a text."""

    piece: TextRuns
    offset: int


@dataclass(frozen=True)
class _Made:
    """One input that texts are made into. offset: in bytes, among all of a text."""

    name: str
    elements: int
    offset: int
    crossing: _Written


def write_drawing(
    environment: jinja2.Environment,
    programs: Mapping[str, Program],
    directory: Path,
    own: str,
    name: str,
    stream: bool,
    host: str,
) -> None:
    """Writes the files into the joined project `own`, whose programs' names begin with `name`.

    stream: whether constants are read while programs run. host: the files that bring a computer constants.
    """
    unet, decoder = next(iter(programs.values())), programs.get(DECODER)
    facts = unet.picture or PictureFacts()
    details: dict[str, Any] = {
        "name": own,
        "upper": own.upper(),
        "model": name,
        "model_upper": name.upper(),
        "unet": next(iter(programs)),
        "fixed": [(one.input, values(one.codes.flatten())) for one in facts.fixed],
        "empty_is_zero": facts.empty_is_zero,
        "guidance": fixed_guidance(facts.guidance),
        "scale": f"{facts.guidance:g}",
        "latent": None if decoder is None else _latent(decoder.inputs[0]),
        "weights_file": f"{own}_weights.bin",
        "stream": stream,
        "host": host,
        **_texts(text_inputs(unet, _encoders(programs)), _encoders(programs)),
        **_shown(unet, decoder, 1 if decoder is not None else facts.block or 1),
    }
    for template, place in FILES.items():
        text = environment.get_template(f"{template}.jinja").render(details)
        (directory / place.format(own)).write_text(text, encoding="utf-8", newline="\n")


def _texts(inputs: Sequence[TextInput], encoders: Mapping[str, Program]) -> dict[str, Any]:
    """What a text becomes, and the memory that it takes."""
    made: list[_Made] = []
    copied: dict[str, list[_Copied]] = {name: [] for name in encoders}
    offset = 0
    for one in inputs:
        elements = math.prod(one.given.shape)
        made.append(_Made(one.given.name, elements, offset, _written(one.crossing, one.given)))
        for piece in one.pieces:
            copied[piece.encoder].append(_Copied(piece, offset))
        offset += aligned(2 * elements)
    written = [
        _Encoder(
            name,
            program.inputs[0].name,
            program.inputs[0].shape[1],
            math.prod(output_of(program).meta["val"].shape),
            tuple(copied[name]),
        )
        for name, program in encoders.items()
    ]
    tokens, states = max(one.tokens for one in written), max(one.states for one in written)
    return {
        "encoders": written,
        "longest": max(encoders, key=lambda name: _by_bytes(encoders[name])),
        "inputs": made,
        "tokens": tokens,
        "text_bytes": offset,
        "ids_bytes": aligned(4 * tokens),
        "codes_bytes": aligned(2 * tokens),
        "encoding_bytes": aligned(4 * tokens) + aligned(2 * tokens) + aligned(2 * states),
    }


def _by_bytes(encoder: Program) -> bool:
    """Whether its tokenizer wants memory for each byte of a text: byte pairs do, whole words don't."""
    return encoder.tokenizer is not None and encoder.tokenizer.pairs


def _shown(unet: Program, decoder: Program | None, block: int) -> dict[str, Any]:
    """What the last latent becomes, and the memory that it and the loop take."""
    assert unet.loop is not None
    shape = tuple(output_of(decoder or unet).meta["val"].shape)
    elements, shown = math.prod(unet.inputs[0].shape), math.prod(shape)
    last = PICTURE_SCALE if decoder is None else _scale(decoder)
    return {
        "elements": elements,
        "sample": " x ".join(map(str, unet.inputs[0].shape)),
        "channels": shape[1] // block**2,
        "height": shape[2] * block,
        "width": shape[3] * block,
        "block": block,
        "factor": pixels(last).factor,
        "latent_bytes": aligned(2 * elements),
        # The loop, then pixels: one after another, where texts were before.
        "later_bytes": max(loop_memory_of(unet).bytes, aligned(2 * elements) + aligned(2 * shown)),
    }


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
