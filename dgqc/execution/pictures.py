"""From a prompt to a picture, in integers: tokenizer, text encoder, denoising loop, decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from PIL import Image

from ..bundle.vectors import noise_of
from ..ir.crossing import PICTURE_SCALE, crossing, pixels
from ..ir.drawing import UNGUIDED, Drawing, Watcher, fixed_guidance, ignore
from ..ir.errors import DgqcError
from ..ir.picture import PictureFacts
from ..ir.program import IDS, Program
from ..ir.text_inputs import TEXT_ENCODERS, TextInput, text_inputs, tokens_of
from ..ir.typed import typed
from .boundary import fixed_picture

DECODER = "decoder"
PICTURE_AXES = 4
"""Of a sample; a video has one more."""
SEEDS = 2**32
Prompt = str | Sequence[int] | Sequence[Sequence[int]]
"""Text, or ids of tokens: for all text encoders the same, or a list for each."""


class DrawingProgram(Protocol):
    """A `CompiledProgram`."""

    @property
    def program(self) -> Program:
        """The UNet's."""

    @property
    def parts(self) -> Mapping[str, Any]:
        """Programs beside it, by name."""

    def draw_integers(
        self, drawing: Drawing, *, backend: str | None = None, progress: Watcher = ignore
    ) -> torch.Tensor:
        """The denoising loop."""


@typed
def drawn_picture(
    program: DrawingProgram,
    prompt: Prompt,
    *,
    negative: Prompt = "",
    guidance_scale: float | None = None,
    seed: int = 0,
    noise: torch.Tensor | None = None,
    latents: torch.Tensor | None = None,
    start: int = 0,
    backend: str | None = None,
    progress: Watcher = ignore,
) -> Image.Image:
    """One picture of a prompt; the same on every machine. Options: as `CompiledProgram.draw`.

    Raises DgqcError where the bundle hasn't all the parts that this takes.
    """
    texts = prompted_texts(program)
    given = _conditions(program, texts, prompt, backend)
    facts = program.program.picture
    empty = facts is not None and facts.empty_is_zero and negative == ""
    scale = own_scale(program.program) if guidance_scale is None else guidance_scale
    other = _conditions(program, texts, None if empty else negative, backend)
    drawing = drawing_of(program.program, given, other, scale, seed, noise, latents, start)
    picture = program.draw_integers(drawing, backend=backend, progress=progress)
    found = _bytes(program, picture, backend)
    return Image.fromarray(found.squeeze(-1).numpy())


def own_scale(program: Program) -> float:
    """The scale of guidance that a program draws with where nobody says another."""
    return (program.picture or PictureFacts()).guidance


def drawing_of(
    program: Program,
    given: Mapping[str, torch.Tensor],
    negative: Mapping[str, torch.Tensor] | None,
    guidance_scale: float,
    seed: int,
    noise: torch.Tensor | None,
    latents: torch.Tensor | None,
    start: int,
) -> Drawing:
    """What is to be drawn, in the program's integers. given, negative: int16. noise, latents: float.

    Raises DgqcError for guidance without a negative, for pictures of other shapes, for a seed of more than 32
    bits, and for a call that no picture can begin with.
    """
    if not 0 <= seed < SEEDS:
        raise DgqcError(f"A seed is a whole number from 0 to {SEEDS - 1}, but it was given as {seed!r}.")
    if program.loop is not None:
        program.loop.check_begin(latents is not None, start)
    guidance, shape = fixed_guidance(guidance_scale), program.inputs[0].shape
    if guidance != UNGUIDED and negative is None:
        raise DgqcError(
            f"A guidance scale of {guidance / UNGUIDED:g} leads away from something; give it as "
            "negative=..., or leave the scale out."
        )
    pictures = 1 if program.loop is None else program.loop.noise_pictures
    drawn = noise_of(seed, pictures, shape) if noise is None else fixed_picture(noise, (pictures, *shape[1:]))
    latent = None if latents is None else fixed_picture(latents, shape)
    return Drawing(drawn, given, negative or {}, guidance, latent, start)


def prompted_texts(program: DrawingProgram) -> tuple[TextInput, ...]:
    """What the UNet takes of prompts. Raises DgqcError for a bundle that can't draw from them."""
    own = program.program
    if any(one.name == "sample" and len(one.shape) > PICTURE_AXES for one in own.inputs):
        raise DgqcError(
            "The bundle draws videos, whose frames its pipeline decodes: put it there with pipe.unet = "
            "program.as_diffusers_unet(pipe.unet), and call the pipeline."
        )
    encoders = {name: program.parts[name].program for name in TEXT_ENCODERS if name in program.parts}
    if own.loop is None or not encoders:
        lacking = "denoising loop" if own.loop is None else "text encoder"
        raise DgqcError(
            f"The bundle draws no pictures from prompts, since it has no {lacking}; compile its pipeline "
            "with --parts all."
        )
    found = text_inputs(own, encoders)
    if DECODER not in program.parts and (own.picture is None or own.picture.block is None):
        raise DgqcError("The bundle has no decoder for its latents; compile its pipeline with --parts all.")
    return found


def _conditions(
    program: DrawingProgram, texts: Sequence[TextInput], prompt: Prompt | None, backend: str | None
) -> dict[str, torch.Tensor]:
    """What the UNet takes of a prompt, int16 by input. prompt: None for zeros in the place of states."""
    facts = program.program.picture
    fixed = {one.input: one.codes for one in facts.fixed} if facts else {}
    if prompt is None:
        return {**fixed, **{one.given.name: torch.zeros(one.given.shape, dtype=torch.int16) for one in texts}}
    encoders = [name for name in TEXT_ENCODERS if name in program.parts]
    states = {}
    for place, name in enumerate(encoders):
        encoder = program.parts[name]
        encoder.build(backend)  # Which looks at a stranger's tables before they are used.
        ids = _ids(encoder.program, _own(prompt, place, len(encoders)))
        states[name] = encoder.run_integers({IDS: ids.to(torch.int16)}, 0, backend=backend)
    return {**fixed, **{one.given.name: one(states) for one in texts}}


def _own(prompt: Prompt, place: int, encoders: int) -> str | Sequence[int]:
    """What one of the text encoders gets. Raises DgqcError for lists of ids for fewer or more encoders."""
    if isinstance(prompt, str) or not any(isinstance(one, Sequence) for one in prompt):
        return prompt  # type: ignore[return-value]
    if len(prompt) != encoders:
        raise DgqcError(
            f"Here are {len(prompt)} lists of ids for {encoders} text encoders; give one for each."
        )
    return prompt[place]  # type: ignore[return-value]


def _ids(encoder: Program, prompt: str | Sequence[int]) -> torch.Tensor:
    """Token ids of a prompt, or those that are given, (1, N)."""
    length = tokens_of(encoder)
    if isinstance(prompt, str):
        if encoder.tokenizer is None:
            raise DgqcError("The bundle holds no tokenizer for its prompts; give ids of tokens instead.")
        found = encoder.tokenizer.encode(prompt)
    else:
        found = [int(one) for one in prompt]
    if len(found) != length:
        raise DgqcError(f"A prompt is {length} ids of tokens, but here are {len(found)}; pad or cut them.")
    return torch.tensor([found])


def _bytes(program: DrawingProgram, picture: torch.Tensor, backend: str | None) -> torch.Tensor:
    """uint8 (H, W, channels) of what the loop leaves, through the decoder where there is one."""
    decoder = program.parts.get(DECODER)
    if decoder is None:
        facts = program.program.picture
        assert facts is not None
        assert facts.block is not None
        return pixels(PICTURE_SCALE, facts.block)(picture)
    given = decoder.program.inputs[0]
    codes = decoder.run_integers({given.name: crossing(PICTURE_SCALE, given)(picture)}, 0, backend=backend)
    return pixels(float(decoder.program.output_scale[0]))(codes)
