"""Every small architecture, compiled, saved, loaded and compared bit by bit between the backends."""

from __future__ import annotations

import re
from pathlib import Path

import architectures
import pytest
import torch

import dgqc
from dgqc.execution.verify import verify

from .conftest import compiled_small

SHORT = ("demo_like", "resnet_resampling", "class_conditional")
"""They have most of what others have, but for two minutes less; passes are tried on all (`passes/`)."""


@pytest.mark.parametrize(
    "name",
    [
        name if name in SHORT else pytest.param(name, marks=pytest.mark.slow)
        for name in architectures.ARCHITECTURES
    ],
)
def test_bits_agree(name: str, tmp_path: Path) -> None:
    compiled = compiled_small(name)
    loaded = dgqc.load(compiled.save(tmp_path / "bundle"))
    found = verify(loaded, steps_sampled=2, backends=["c"])
    assert found.bit_exact, found.difference
    kernels = feed_forwards(tmp_path / "bundle")
    activations = kernels.count(("0", "activation"))
    assert kernels.count(("0.proj", "linear")) == 2 * activations, "values and gates apart"
    assert kernels.count(("2", "linear")) == activations
    assert not {("0", "copy"), ("2", "gather")} & set(kernels)
    assert (activations > 0) == ("encoder_hidden_states" in [item.name for item in loaded.program.inputs])
    inputs = architectures.example_inputs(architectures.ARCHITECTURES[name]())
    added = {key: inputs.pop(key) for key in ("text_embeds", "time_ids") if key in inputs}
    time = loaded.program.schedule.timesteps[0]
    first = loaded(**inputs, timestep=time, added_cond_kwargs=added)
    assert torch.equal(first, compiled(**inputs, timestep=time, added_cond_kwargs=added))
    assert torch.isfinite(first).all()


def feed_forwards(bundle: Path) -> list[tuple[str, str]]:
    """The kernels that compute feed-forwards of transformers row by row, each with its place in one."""
    text = (bundle / "c" / "src" / "model.c").read_text()
    comment, struct = r"/\* \w+ \(\S+\.ff\.net\.(\S+)\) \*/\n\s+", r"(?:const [^;]+};\n\s+)?"
    return re.findall(rf"{comment}{struct}dgqc_(\w+)_rows\(", text)
