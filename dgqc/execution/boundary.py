"""Where floats become integers and integers become floats: the two ends of a compiled program."""

from __future__ import annotations

from collections import Counter

import torch

from ..ir.arithmetic.noise import NOISE_BITS
from ..ir.calibration import Inputs
from ..ir.errors import DgqcError
from ..ir.ops.tokens import signed
from ..ir.program import IDS, Program
from ..ir.reading import explained


def to_integers(
    program: Program, inputs: Inputs, step: int, saturated: Counter[str] | None = None
) -> dict[str, torch.Tensor]:
    """The int16 inputs of the integer graph for one sample.

    inputs: the model's own, batch 1, by name. step: of the schedule. saturated: where values that 16 bits
        can't hold are counted, by input.
    q = floor(x / given.steps(step) + 0.5), saturated to -32768 .. 32767.
    Raises DgqcError when an input has another shape or is not finite.
    """
    values = _prologue(program, inputs)
    integers: dict[str, torch.Tensor] = {}
    for given in program.inputs:
        value = values[given.name]
        if tuple(value.shape) != given.shape:
            raise DgqcError(
                f"Input {given.name} has shape {tuple(value.shape)}, but the program was compiled for "
                f"{given.shape}; compile the model for this size."
            )
        if not torch.isfinite(value).all():
            raise DgqcError(f"Input {given.name} holds a value that is not finite; give finite numbers.")
        if given.name == IDS:
            integers[IDS] = signed(value)
            continue
        codes = torch.floor(value.to(torch.float64) / given.steps(step) + 0.5)
        held = codes.clamp(-32768, 32767)
        if saturated is not None and (beyond := int((held != codes).sum())):
            saturated[given.name] += beyond
        integers[given.name] = held.to(torch.int16)
    return integers


def to_floats(program: Program, output: torch.Tensor, step: int) -> torch.Tensor:
    """The float32 value of the int16 output at a call."""
    if program.output_scale is None:
        raise DgqcError("The program has no output scale; it is not at the integer level.")
    return (output.to(torch.float64) * program.output_scale[step].to(torch.float64)).to(torch.float32)


def fixed_picture(picture: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """A picture, noise or latent as int16 in Q12, saturated. Raises DgqcError for another shape."""
    plain = tuple(picture.shape) == shape and not picture.is_meta and not picture.is_complex()
    if not plain or not bool(torch.isfinite(picture).all()):
        raise DgqcError(
            f"A picture of shape {tuple(picture.shape)} can't be drawn from; give finite numbers of shape "
            f"{shape}."
        )
    codes = torch.floor(picture.detach().cpu().to(torch.float64) * 2**NOISE_BITS + 0.5)
    return codes.clamp(-32768, 32767).to(torch.int16)


def floating_picture(picture: torch.Tensor) -> torch.Tensor:
    """What an int16 picture in Q12 stands for, float32."""
    return picture.to(torch.float32) / (1 << NOISE_BITS)


def _prologue(program: Program, inputs: Inputs) -> Inputs:
    if program.prologue is None:
        return inputs
    # A label beyond the model's classes, a float in the place of one: what embeddings say of it.
    with torch.no_grad(), explained("The inputs are not what the model takes", "give the model's own inputs"):
        names = [str(node.target) for node in program.prologue.graph.nodes if node.op == "placeholder"]
        results = program.prologue(*(inputs[name] for name in names))
    values = results if isinstance(results, tuple | list) else (results,)
    return {given.name: value for given, value in zip(program.inputs, values, strict=True)}
