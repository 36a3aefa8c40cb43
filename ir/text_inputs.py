"""What a UNet takes of a prompt: which numbers of which text encoder's output stand where in its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from .arithmetic.fixed_point import multiplier
from .arithmetic.operands import ensure_shapes, shape_of
from .crossing import Crossing
from .errors import DgqcError
from .program import Input, Program

CONTEXT, POOLED = "encoder_hidden_states", "text_embeds"
TEXT_ENCODERS = ("text_encoder", "text_encoder_2")
"""Parts, in the order in which their states stand side by side in a context."""


@dataclass(frozen=True)
class TextRuns:
    """Runs of numbers that go from a text encoder's output into an input.

    encoder: the part's name. count, size: of runs. first: where the first begins in the output. to: where it
    begins in the input; apart: how far apart runs begin there. In the output they follow each other.
    """

    encoder: str
    count: int
    size: int
    first: int
    to: int
    apart: int


@dataclass(frozen=True)
class TextInput:
    """One input that is made of text encoders' outputs, and how codes of theirs become codes of its own."""

    given: Input
    pieces: tuple[TextRuns, ...]
    crossing: Crossing

    def __call__(self, outputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """outputs: int16, by part. Returns int16 in the input's shape."""
        codes = torch.zeros(self.given.shape, dtype=torch.int16)
        for piece in self.pieces:
            runs = outputs[piece.encoder].flatten()[piece.first :][: piece.count * piece.size]
            place = codes.as_strided((piece.count, piece.size), (piece.apart, 1), piece.to)
            place.copy_(runs.reshape(piece.count, piece.size))
        return self.crossing(codes)


def text_inputs(unet: Program, programs: Mapping[str, Program]) -> tuple[TextInput, ...]:
    """What the UNet takes of its texts. programs: by part, the text encoders among them.

    Raises DgqcError where it takes something else besides, and where states don't fit.
    """
    encoders = [(name, programs[name]) for name in TEXT_ENCODERS if name in programs]
    fixed = {one.input for one in unet.picture.fixed} if unet.picture else set()
    found: list[TextInput] = []
    for given in unet.inputs[1:]:
        if given.name == CONTEXT:
            found.append(_context(given, encoders))
        elif given.name == POOLED and (pooled := _pooled(given, encoders)):
            found.append(pooled)
        elif given.name not in fixed:
            raise DgqcError(
                f"The UNet takes {given.name}, which no text encoder of the bundle makes, so that it draws "
                "no pictures from prompts by itself; put the programs into their pipeline with "
                "as_diffusers_pipeline."
            )
    if not any(one.given.name == CONTEXT for one in found):
        raise DgqcError(
            "The UNet takes no text, so that the bundle draws no pictures from prompts; draw "
            "with draw_sample."
        )
    return tuple(found)


def tokens_of(encoder: Program) -> int:
    """Ids of a prompt."""
    return encoder.inputs[0].shape[1]


def _context(given: Input, encoders: list[tuple[str, Program]]) -> TextInput:
    """All encoders' states, side by side."""
    pieces: list[TextRuns] = []
    scales: list[torch.Tensor] = []
    to = 0
    width = given.shape[-1]
    for name, encoder in encoders:
        own = _output_shape(encoder)[-1]
        pieces.append(TextRuns(name, tokens_of(encoder), own, 0, to, width))
        scales.append(torch.full((own,), _scale(encoder), dtype=torch.float64))
        to += own
    tokens = {piece.count for piece in pieces}
    if tokens != {given.shape[1]} or to != width:
        shapes = " and ".join(str((1, piece.count, piece.size)) for piece in pieces)
        raise DgqcError(
            f"The text encoder gives states {shapes}, but the UNet was compiled for {given.shape}; compile "
            "the pipeline again with its own context length."
        )
    # One encoder's states have one scale, and the crossing's tables are as short.
    scale = torch.cat(scales) if len(scales) > 1 else scales[0][0]
    return TextInput(given, tuple(pieces), Crossing(*multiplier(scale / given.steps(0))))


def _pooled(given: Input, encoders: list[tuple[str, Program]]) -> TextInput | None:
    """The pooled text of the encoder that has any, in the rows behind its states."""
    size = given.shape[-1]
    for name, encoder in encoders:
        _, rows, width = _output_shape(encoder)
        first = tokens_of(encoder) * width
        if rows - tokens_of(encoder) == -(-size // width):
            crossing = Crossing(*multiplier(_scale(encoder) / given.steps(0)))
            return TextInput(given, (TextRuns(name, 1, size, first, 0, size),), crossing)
    return None


def _scale(program: Program) -> float:
    assert program.output_scale is not None
    return float(program.output_scale[0])


def _output_shape(program: Program) -> tuple[int, ...]:
    ensure_shapes(program)
    return shape_of(next(node for node in program.graph.graph.nodes if node.op == "output").args[0])
