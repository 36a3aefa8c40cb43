"""Every published architecture that is captured becomes integers, at reduced width."""

from __future__ import annotations

import diffusers
import pytest
import torch
from public_configurations import COMPILED, reduced
from public_videos import SIZES

from dgqc.compiler.driver import lower
from dgqc.compiler.request import Request
from dgqc.ir.level import Level

FAST = {"opt": "naive-w8a8", "steps": 1, "samples": 1, "batch_size": 1, "context_length": 5}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPILED)
def test_lowered_to_integers(name: str) -> None:
    torch.manual_seed(0)
    config = reduced(COMPILED[name])
    options = {key: value for key, value in config.items() if key != "_class_name"}
    unet = getattr(diffusers, config["_class_name"])(**options).eval()
    size = SIZES.get(config["_class_name"])
    program, _ = lower(Request(unet, sample_size=size, **FAST))  # type: ignore[arg-type]
    assert program.level is Level.INTEGER
    values = [node.meta["val"] for node in program.graph.graph.nodes if node.op == "placeholder"]
    assert all(not value.is_floating_point() for value in values)
