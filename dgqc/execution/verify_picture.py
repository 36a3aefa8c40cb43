"""One short picture of a prompt through every backend, compared byte by byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..backends.registry import REFERENCE, known_targets
from ..bundle.bundle import UNET
from ..bundle.vectors import GUIDANCE, noise_of
from ..ir.drawing import Wish, fixed_guidance
from ..ir.errors import DgqcError
from ..ir.program import Program
from .boundary import floating_picture
from .compiled_program import CompiledProgram
from .pictures import prompted_texts

PROMPT, NEGATIVE = "A small red circle, left of 2 blue squares!", "blurry"
CALLS = 2
"""That the picture takes at most, where its scheduler can begin as late."""


@dataclass(frozen=True)
class PictureComparison:
    """compared: who drew; a target's own program from words to bytes is called "c alone". calls: of each.

    size: bytes of the picture. difference: the first one, as a sentence; None where all agree.
    """

    compared: tuple[str, ...]
    calls: int
    size: int
    difference: str | None

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        found = {"compared": list(self.compared), "calls": self.calls, "bytes": self.size}
        return {**found, "first_difference": self.difference}

    def sentence(self) -> str:
        """For people."""
        names = " and ".join(self.compared)
        if self.difference is not None:
            return f"Pictures of a prompt differ. {self.difference}"
        calls = f"{self.calls} call{'s' if self.calls > 1 else ''}"
        return f"{names} agree on all {self.size} bytes of a prompt's picture, of {calls} of the UNet."


def verify_picture(compiled: CompiledProgram, backends: Sequence[str], seed: int) -> PictureComparison | None:
    """Draws with each backend. None for a bundle that draws no pictures of prompts.

    backends: the reference among them. seed: of the noise, and of the sample that the picture begins from.
    """
    try:
        prompted_texts(compiled)
    except DgqcError:
        return None
    wish = _wish(compiled.program, seed)
    pictures = {name: _drawn(compiled, wish, name) for name in backends}
    wanted = pictures[REFERENCE]
    pictures |= _alone(compiled, backends, wish, wanted)
    calls = len(compiled.program.schedule) - wish.start
    difference = next(filter(None, (_first(wanted, name, one) for name, one in pictures.items())), None)
    return PictureComparison(tuple(pictures), calls, wanted.numel(), difference)


def _wish(program: Program, seed: int) -> Wish:
    """As few of the last calls as there can be, from a latent of noise."""
    assert program.loop is not None
    starts = [call for call, shift in enumerate(program.loop.begin_shift.tolist()) if shift]
    last = len(program.schedule) - CALLS
    start = max((call for call in starts if 0 < call <= last), default=0)
    latent = noise_of(seed + 1, 1, program.inputs[0].shape) if start else None
    return Wish(PROMPT, NEGATIVE, fixed_guidance(GUIDANCE), seed, latent, start)


def _drawn(compiled: CompiledProgram, wish: Wish, backend: str) -> torch.Tensor:
    """uint8 (H, W) or (H, W, 3)."""
    texts = [_known(compiled, text) for text in (wish.prompt, wish.negative)]
    latents = None if wish.latent is None else floating_picture(wish.latent)
    how: dict[str, Any] = {"guidance_scale": GUIDANCE, "latents": latents, "start": wish.start}
    picture = compiled.draw(texts[0], wish.seed, negative=texts[1], backend=backend, **how)
    return torch.from_numpy(np.asarray(picture).copy())


def _known(compiled: CompiledProgram, text: str) -> Any:
    """A prompt, or ids in its place where a text encoder has no tokenizer."""
    encoders = [part.program for name, part in compiled.parts.items() if name.startswith("text_encoder")]
    if all(one.tokenizer is not None for one in encoders):
        return text
    return [[len(text) % 7] * one.inputs[0].shape[1] for one in encoders]


def _alone(
    compiled: CompiledProgram, backends: Sequence[str], wish: Wish, like: torch.Tensor
) -> Mapping[str, torch.Tensor]:
    """By each target's own program around all parts. like: what has the picture's shape."""
    programs = {UNET: compiled.program, **{name: part.program for name, part in compiled.parts.items()}}
    found = {}
    for target in known_targets():
        for name in target.runners:
            painter = target().open_painter(name, programs) if name in backends else None
            if painter is not None:
                found[f"{name} alone"] = painter(wish, like.numel()).reshape(like.shape)
    return found


def _first(wanted: torch.Tensor, name: str, found: torch.Tensor) -> str | None:
    """Where a picture first differs from the reference's."""
    if found.shape != wanted.shape:
        return f"That of {name} is {tuple(found.shape)} instead of {tuple(wanted.shape)}."
    places = (found != wanted).nonzero().tolist()
    if not places:
        return None
    index = tuple(places[0])
    return (
        f"Row {index[0]}, column {index[1]} is {int(found[index])} from {name} and {int(wanted[index])} from "
        f"the {REFERENCE}."
    )
