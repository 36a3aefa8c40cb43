"""`dgqc run`: one UNet call with inputs from a file, or random ones."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from ..ir.errors import DgqcError
from ..ir.reading import explained, reading
from ..ir.storage.whole import whole_file
from .compiled_program import CompiledProgram


def call_once(
    compiled: CompiledProgram,
    inputs: Path | None,
    timestep: float | None,
    step: int | None,
    output: Path | None,
    backend: str | None,
    allow_nearest_step: bool,
    seed: int,
) -> dict[str, Any]:
    """Makes one call and describes its output; writes it to a file where `output` is given.

    Raises DgqcError when the inputs don't fit the program.
    """
    values = inputs_of(compiled, inputs, seed)
    if timestep is None:
        step = step or 0
    start = time.perf_counter()
    result = compiled.answer(
        values, timestep, step=step, backend=backend, allow_nearest_step=allow_nearest_step
    )
    seconds = time.perf_counter() - start
    if output is not None:
        given = explained(f"The output can't be written to {output}", "give a writable path")
        with given, whole_file(output) as unfinished:
            save_file({"sample": result.contiguous()}, unfinished)
    return {
        "timestep": compiled.program.schedule.timesteps[step or 0] if timestep is None else timestep,
        "shape": list(result.shape),
        "seconds": seconds,
        "mean": float(result.mean()),
        "deviation": float(result.std(correction=0)),
        "lowest": float(result.min()),
        "highest": float(result.max()),
    }


def inputs_of(compiled: CompiledProgram, inputs: Path | None, seed: int) -> dict[str, torch.Tensor]:
    """Inputs by name, of a file or drawn. Raises DgqcError for a file without the first of them."""
    values = random_floats(compiled, seed) if inputs is None else _read(inputs)
    first = compiled.provenance.inputs[0].name
    if first not in values:
        raise DgqcError(f"{inputs} holds no tensor called {first}; give the program's inputs by name.")
    return values


def random_floats(compiled: CompiledProgram, seed: int) -> dict[str, torch.Tensor]:
    """Inputs of one sample from N(0, 1), class 0 where the model takes classes."""
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for given in compiled.provenance.inputs:
        drawn = torch.randn(given.shape, generator=generator)
        made[given.name] = drawn if given.floating else torch.zeros(given.shape, dtype=torch.int64)
    return made


def _read(path: Path) -> dict[str, torch.Tensor]:
    with reading(str(path), "give the UNet's inputs by name in a safetensors file"):
        tensors: dict[str, torch.Tensor] = load_file(path)
        return tensors
