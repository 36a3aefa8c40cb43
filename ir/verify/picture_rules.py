"""What must hold of what a program keeps of its pipeline's pictures."""

from __future__ import annotations

import torch

from ..picture import pixel_block
from ..program import Program
from .checks import Problem, Problems

CAUSE = "it was made by hand"


def picture_problems(program: Program) -> Problems:
    """Every problem of a program's `PictureFacts`; none without any."""
    facts = program.picture
    if facts is None:
        return
    if not program.inputs or len(program.inputs[0].shape) != 4:
        yield Problem("pictures of a program without images", "a sample (1, C, H, W)", CAUSE)
        return
    channels = program.inputs[0].shape[1]
    if facts.block is not None and facts.block != pixel_block(channels):
        yield Problem(f"squares of {facts.block} pixels in {channels} channels", "3 r^2 channels", CAUSE)
    shapes = {one.name: one.shape for one in program.inputs[1:]}
    names = [one.input for one in facts.fixed]
    if len(set(names)) != len(names):
        yield Problem("an input that is fixed twice", "one value", CAUSE)
    for one in facts.fixed:
        shape = shapes.get(one.input)
        if one.codes.dtype is not torch.int16 or tuple(one.codes.shape) != shape:
            found = f"{one.codes.dtype} {tuple(one.codes.shape)} for the input {one.input}"
            yield Problem(found, f"int16 {shape}", CAUSE)
