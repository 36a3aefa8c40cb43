"""What a program is given, before memory of another language holds it."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ..ir.errors import DgqcError


def checked_input(inputs: Mapping[str, torch.Tensor], name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """An int16 tensor of a shape, contiguous. Raises DgqcError where it is missing or another one."""
    tensor = inputs.get(name)
    if tensor is None:
        raise DgqcError(f"The input {name} is missing; the program takes it as int16 of shape {shape}.")
    if tensor.dtype != torch.int16 or tuple(tensor.shape) != shape:
        raise DgqcError(
            f"The input {name} must be int16 of shape {shape} but is {tensor.dtype} of {tuple(tensor.shape)}."
        )
    return tensor.contiguous()
