"""A UNet's inputs by name, from the arguments that diffusers calls it with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from ..bundle.manifest import InputShape
from ..ir.calibration import Inputs
from ..ir.errors import DgqcError
from ..ir.masks import MASKS
from ..ir.typed import typed

CONTEXT = "encoder_hidden_states"
IGNORING = frozenset({"UNet2DConditionModel"})
"""Models that pipelines hand a context to, whether they have cross-attention or not."""


@typed
def named_inputs(
    sample: torch.Tensor,
    encoder_hidden_states: torch.Tensor | None = None,
    class_labels: torch.Tensor | None = None,
    added_cond_kwargs: Mapping[str, torch.Tensor] | None = None,
) -> Inputs:
    """All inputs that are given; shapes as in `CompiledProgram.run`."""
    given: dict[str, torch.Tensor | None] = {
        "sample": sample,
        "encoder_hidden_states": encoder_hidden_states,
        "class_labels": class_labels,
        **(added_cond_kwargs or {}),
    }
    return {name: value for name, value in given.items() if value is not None}


def without_ignored(inputs: Inputs, taken: Sequence[InputShape]) -> Inputs:
    """The inputs without a context that no layer of the model reads.

    inputs: of a model that is one of `IGNORING`. taken: what the program takes.
    """
    read = {one.name for one in taken}
    return {name: value for name, value in inputs.items() if name != CONTEXT or name in read}


def check_inputs(inputs: Inputs, taken: Sequence[InputShape]) -> None:
    """Raises DgqcError unless these are the inputs that a program takes, of one number of samples.

    taken: the program's. Shapes beyond the first axis are the program's own business.
    """
    names = [one.name for one in taken]
    for name in names:
        if name not in inputs:
            raise DgqcError(f"The program needs the input {name}, but it was not given.")
    first = taken[0].name
    batch = _samples(first, inputs[first])
    if taken[0].floating and not inputs[first].dtype.is_floating_point:
        raise DgqcError(
            f"Input {first} is {inputs[first].dtype}, and the answer would be too; give it as float32."
        )
    if not taken[0].floating and inputs[first].dtype.is_floating_point:
        raise DgqcError(f"Input {first} is {inputs[first].dtype}; give the ids of tokens, whole numbers.")
    for name, value in inputs.items():
        if name not in names:
            raise DgqcError(
                f"The program has no input {name}; it takes {', '.join(names)}, so call it without."
            )
        if _samples(name, value) != batch:
            raise DgqcError(
                f"Input {name} holds {value.shape[0]} samples on its first axis and the input {first} "
                f"{batch}; give the same number."
            )


def _samples(name: str, value: torch.Tensor) -> int:
    """How many samples an input holds."""
    if not isinstance(value, torch.Tensor):
        raise DgqcError(f"Input {name} is of type {type(value).__name__}; give a torch.Tensor.")
    if value.dim() < 1 or value.shape[0] < 1:
        raise DgqcError(f"Input {name} has shape {tuple(value.shape)}; give at least one sample.")
    if value.layout is not torch.strided or value.is_quantized or value.is_meta:
        raise DgqcError(f"Input {name} holds no plain numbers (it is {value.layout}); give a dense tensor.")
    if value.is_complex() or (value.dtype is torch.bool and name not in MASKS):
        raise DgqcError(f"Input {name} is {value.dtype}; give real numbers.")
    return int(value.shape[0])
