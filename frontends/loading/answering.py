"""A float model's answers to inputs by name, whatever it was loaded from."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from ...ir.calibration import samples_in
from .arguments import call_arguments
from .exported_unet import ExportedUNet


def answer_of(model: nn.Module, inputs: Mapping[str, torch.Tensor], timestep: torch.Tensor) -> torch.Tensor:
    """The model's output (B, C, H, W). model: a diffusers UNet or an ExportedUNet, called row by row.

    inputs: all but the timestep, batch first. timestep: one number, in a tensor of any shape.
    """
    time = timestep.reshape(1).to(torch.float32)
    if isinstance(model, ExportedUNet):
        rows = range(samples_in(inputs))
        each = [{name: value[row : row + 1] for name, value in inputs.items()} for row in rows]
        return torch.cat([model(timestep=time, **one) for one in each])
    output: torch.Tensor = model(**call_arguments({**inputs, "timestep": time}, model), return_dict=False)[0]
    return output
