"""Every small architecture, compiled, saved, loaded and compared bit by bit between the backends."""

from __future__ import annotations

from pathlib import Path

import architectures
import pytest
import torch

import dgqc
from dgqc.verify import verify

from .conftest import compiled_small


@pytest.mark.parametrize("name", architectures.ARCHITECTURES)
def test_bits_agree(name: str, tmp_path: Path) -> None:
    compiled = compiled_small(name)
    loaded = dgqc.load(compiled.save(tmp_path / "bundle"))
    found = verify(loaded, steps_sampled=2, backends=["c"])
    assert found.bit_exact, found.difference
    inputs = architectures.example_inputs(architectures.ARCHITECTURES[name]())
    added = {key: inputs.pop(key) for key in ("text_embeds", "time_ids") if key in inputs}
    time = loaded.program.schedule.timesteps[0]
    first = loaded(**inputs, timestep=time, added_cond_kwargs=added)
    assert torch.equal(first, compiled(**inputs, timestep=time, added_cond_kwargs=added))
    assert torch.isfinite(first).all()
