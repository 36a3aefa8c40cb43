"""The comparison with the authors' quantizers: what is recorded, and that a difference shows."""

from __future__ import annotations

from pathlib import Path

import authors_code
import pytest
import torch
from authors import Site, agreement
from recorded_operands import record

from dgqc.demo_model.model import build_unet
from dgqc.ir.errors import DgqcError
from dgqc.ir.plans import Operand, Role, SteppedOperand
from dgqc.passes.activations.step_groups import quantizer, ranges_of


class Theirs:
    """A quantizer along the last axis with their attributes."""

    def __init__(self, scale: torch.Tensor, zero: torch.Tensor) -> None:
        self.delta, self.zero_point = scale.float().view(1, 1, -1), zero.float().view(1, 1, -1)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        codes = (torch.round(x / self.delta) + self.zero_point).clamp(0, 15)
        return self.delta * (codes - self.zero_point)


def test_recording_leaves_the_model_what_it_computes() -> None:
    torch.manual_seed(0)
    unet = build_unet().eval()
    inputs = {"sample": torch.randn(2, 12, 16, 16), "encoder_hidden_states": torch.randn(2, 16, 128)}
    with torch.no_grad():
        wanted = unet(**inputs, timestep=500).sample
        found = record(unet, [inputs], 500)
        again = unet(**inputs, timestep=500).sample  # now with the attentions written out
    assert torch.allclose(wanted, again, atol=1e-5)
    cross = "mid_block.attentions.0.transformer_blocks.0.attn2"
    assert found.layers[f"{cross}.to_k"][0].shape == (2, 16, 128)
    assert found.keys[cross][0].shape == (2, 4, 16, 32)
    assert found.probabilities[cross][0].sum(dim=-1).allclose(torch.ones(2, 4, 16))
    assert not any(name.startswith("time_embedding") for name in found.layers)


@pytest.mark.parametrize("turned", [False, True])
def test_one_code_of_difference_is_found(turned: bool) -> None:
    torch.manual_seed(1)
    x = torch.randn(2, 1, 6, 10) * torch.linspace(0.1, 9, 10)
    role = Role.RIGHT if turned else Role.LEFT
    view = x.transpose(-1, -2) if turned else x
    operand = Operand(role, 4, False)
    one = quantizer(operand, ranges_of(view, role), 3)
    site = Site(SteppedOperand(operand, (one,), 10, 6), [x], turned)

    same = agreement(site, one, Theirs(one.scale, one.zero))
    assert (same.dimension, same.groups, same.scale, same.zero, same.codes) == (True, True, 0, 0, 1)
    moved = agreement(site, one, Theirs(one.scale, one.zero + (one.group == 0)))
    assert (moved.groups, moved.scale, moved.zero) == (True, 0, 1)
    assert moved.codes < 1


def test_a_folder_without_their_code_is_named(tmp_path: Path) -> None:
    with pytest.raises(DgqcError, match=r"has no quant/quant_layer\.py; give the folder of a checkout"):
        authors_code.load(tmp_path)
