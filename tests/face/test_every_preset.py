"""Every architecture at every preset, all steps, batch 2: the long way. Run with `pytest -m slow`."""

from __future__ import annotations

import architectures
import pytest
import torch

import dgqc
from dgqc.execution.verify import verify
from dgqc.passes.manager.presets import PRESETS

SETTINGS = [*PRESETS, "w4a6g1", "w4a6g16", "w4a6,scale=tensor", "w8a8,probabilities=uniform,scale=static"]


@pytest.mark.slow
@pytest.mark.parametrize("opt", SETTINGS)
@pytest.mark.parametrize("name", architectures.ARCHITECTURES)
def test_bits_agree(name: str, opt: str) -> None:
    unet = architectures.ARCHITECTURES[name]()
    compiled = dgqc.compile(unet, opt, steps=3, samples=2, context_length=7, check=False)
    found = verify(compiled, backends=["c"])
    assert found.bit_exact, found.difference
    inputs = architectures.example_inputs(unet, 2, 5)
    inputs.pop("timestep", None)
    added = {key: inputs.pop(key) for key in ("text_embeds", "time_ids") if key in inputs}
    time = compiled.program.schedule.timesteps[1]
    runs = [
        compiled.run(**inputs, timestep=time, added_cond_kwargs=added, backend=backend)
        for backend in ("c", "reference")
    ]
    assert torch.equal(*runs)
    assert torch.isfinite(runs[0]).all()
