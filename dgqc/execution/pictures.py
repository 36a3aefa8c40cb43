"""From a prompt to a picture, in integers: tokenizer, text encoder, denoising loop, decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from PIL import Image

from ..bundle.vectors import noise_of
from ..ir.crossing import PICTURE_SCALE, crossing, pixel_block, pixels
from ..ir.drawing import UNGUIDED, Drawing, Watcher, fixed_guidance, ignore
from ..ir.errors import DgqcError
from ..ir.program import IDS, Program
from .boundary import fixed_picture

TEXT_ENCODER, DECODER = "text_encoder", "decoder"
CONTEXT = "encoder_hidden_states"


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


def drawn_picture(
    program: DrawingProgram,
    prompt: str | Sequence[int],
    *,
    negative: str | Sequence[int] = "",
    guidance_scale: float = 7.5,
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
    _refuse_other(program)
    given, other = ({CONTEXT: _context(program, text, backend)} for text in (prompt, negative))
    drawing = drawing_of(program.program, given, other, guidance_scale, seed, noise, latents, start)
    picture = program.draw_integers(drawing, backend=backend, progress=progress)
    found = _bytes(program, picture, backend)
    return Image.fromarray(found.squeeze(-1).numpy())


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

    Raises DgqcError for guidance without a negative, and for pictures of other shapes.
    """
    guidance, shape = fixed_guidance(guidance_scale), program.inputs[0].shape
    if guidance != UNGUIDED and negative is None:
        raise DgqcError(
            f"A guidance scale of {guidance_scale:g} leads away from something; give it as negative=..., "
            "or leave the scale out."
        )
    pictures = 1 if program.loop is None else program.loop.noise_pictures
    drawn = noise_of(seed, pictures, shape) if noise is None else fixed_picture(noise, (pictures, *shape[1:]))
    latent = None if latents is None else fixed_picture(latents, shape)
    return Drawing(drawn, given, negative or {}, guidance, latent, start)


def _refuse_other(program: DrawingProgram) -> None:
    """Raises DgqcError for a bundle that can't draw from a prompt."""
    own, encoder = program.program, program.parts.get(TEXT_ENCODER)
    if own.loop is None or encoder is None:
        lacking = "denoising loop" if own.loop is None else "text encoder"
        raise DgqcError(
            f"The bundle draws no pictures from prompts, since it has no {lacking}; compile its pipeline "
            "with --parts all."
        )
    names = [one.name for one in own.inputs[1:]]
    if names != [CONTEXT] or own.prologue is not None:
        raise DgqcError(
            f"The UNet takes {', '.join(names) or 'no text'}, but pictures are drawn from prompts where it "
            "takes one text encoder's states alone; put the programs into their pipeline with "
            "as_diffusers_pipeline."
        )
    if DECODER not in program.parts and pixel_block(own.inputs[0].shape[1]) is None:
        raise DgqcError("The bundle has no decoder for its latents; compile its pipeline with --parts all.")


def _context(program: DrawingProgram, prompt: str | Sequence[int], backend: str | None) -> torch.Tensor:
    """What the UNet takes of a prompt, int16."""
    encoder = program.parts[TEXT_ENCODER]
    ids = _ids(encoder.program, prompt)
    states = encoder.run_integers({IDS: ids.to(torch.int16)}, 0, backend=backend)
    taken = program.program.inputs[1]
    if tuple(states.shape) != taken.shape:
        raise DgqcError(
            f"The text encoder gives states {tuple(states.shape)}, but the UNet was compiled for "
            f"{taken.shape}; compile the pipeline again with its own context length."
        )
    return crossing(float(encoder.program.output_scale[0]), taken)(states)


def _ids(encoder: Program, prompt: str | Sequence[int]) -> torch.Tensor:
    """Token ids of a prompt, or those that are given, (1, N)."""
    length = encoder.inputs[0].shape[1]
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
        return pixels(PICTURE_SCALE, pixel_block(picture.shape[1]) or 1)(picture)
    given = decoder.program.inputs[0]
    codes = decoder.run_integers({given.name: crossing(PICTURE_SCALE, given)(picture)}, 0, backend=backend)
    return pixels(float(decoder.program.output_scale[0]))(codes)
