"""Layers that keep more bits, and channels that are balanced, in every backend.

pytest -m slow tests/models/test_wide_layers.py
"""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DModel

import dgqc
from dgqc.demo_model.massive import with_massive_channels
from dgqc.execution.compiled_program import CompiledProgram
from dgqc.execution.verify import verify
from dgqc.passes.manager.presets import pipeline_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def program() -> CompiledProgram:
    """A small UNet with massive channels, of which more is asked than six bits give."""
    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=8,
        layers_per_block=1,
        block_out_channels=(16, 16),
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )
    massive = with_massive_channels(unet, 2.0**30)
    text = pipeline_for("w4a6,rounding=nearest").replace("{poor=16,enough=30}", "{poor=90,enough=33}")
    return dgqc.compile(massive, pass_pipeline=text, steps=2, samples=2, check=False)


def test_some_layers_are_wider_and_some_are_balanced(program: CompiledProgram) -> None:
    found = program.report.get("passes", program.report)
    assert {8, 16} <= set(found["keep-wide"]["wide-operands"].values())
    assert {8, 16} <= set(found["keep-wide"]["wide-weights"].values())
    assert found["balance-channels"]["balanced"]
    assert found["balance-queries"]["balanced"]


def test_c(program: CompiledProgram) -> None:
    found = verify(program, steps_sampled=2, backends=["c"])
    assert found.bit_exact, found.difference


def test_mlir(program: CompiledProgram) -> None:
    pytest.importorskip("torch_mlir")
    pytest.importorskip("iree.compiler")
    found = verify(program, steps_sampled=1, backends=["iree", "llvm"])
    assert found.bit_exact, found.difference
