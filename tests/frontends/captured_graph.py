"""A captured graph beside the model it was captured from."""

from __future__ import annotations

import architectures
import torch

from dgqc.ir.program import Program

TIMESTEP = 7.0


def run(program: Program, inputs: dict[str, torch.Tensor], timestep: float = TIMESTEP) -> torch.Tensor:
    with torch.no_grad():
        output: torch.Tensor = program.graph(timestep=torch.tensor([timestep]), **inputs)
    return output


def assert_same(unet: architectures.UNet, program: Program, batch: int) -> None:
    inputs = architectures.example_inputs(unet, batch, seed=batch)
    for timestep in (TIMESTEP, 871.0):
        expected = architectures.run_model(unet, inputs, timestep)
        assert expected.std() > 0.05
        torch.testing.assert_close(run(program, inputs, timestep), expected, rtol=1e-5, atol=1e-5)
