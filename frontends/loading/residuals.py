"""What a ControlNet or a T2I-Adapter adds inside a UNet: tensors by name, and diffusers' arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch

SEVERAL: Mapping[str, str] = {
    "down_block_additional_residuals": "down_residual",
    "down_intrablock_additional_residuals": "adapter_residual",
}
"""By diffusers' argument, a list of tensors, what each is called here, before its number."""
ONE: Mapping[str, str] = {"mid_block_additional_residual": "mid_residual"}
NAME = re.compile(rf"(?:{'|'.join(SEVERAL.values())})_\d{{1,3}}|{'|'.join(ONE.values())}", re.ASCII)


def is_residual(name: str) -> bool:
    """Whether an input is one of these."""
    return NAME.fullmatch(name) is not None


def named_residuals(arguments: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The tensors in a UNet's arguments by name, (B, C, H, W) each."""
    found = {
        f"{name}_{number}": tensor
        for argument, name in SEVERAL.items()
        for number, tensor in enumerate(arguments.get(argument) or ())
    }
    return found | {name: arguments[key] for key, name in ONE.items() if arguments.get(key) is not None}


def residual_arguments(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that `named_residuals` named; those that inputs have none of are left out."""
    found: dict[str, Any] = {key: inputs[name] for key, name in ONE.items() if name in inputs}
    for argument, name in SEVERAL.items():
        count = sum(one.startswith(f"{name}_") for one in inputs)
        if count:
            # A list of its own for each call: diffusers takes tensors out of it.
            found[argument] = [inputs[f"{name}_{number}"] for number in range(count)]
    return found
