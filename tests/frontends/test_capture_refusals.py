"""What can't be captured is refused in one sentence that names the place."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import nn

from dgqc.frontends import capture
from dgqc.frontends.capturing.rewriter import Refused
from dgqc.ir.errors import DgqcError, UnsupportedOperation

from .conftest import tiny_unet


class Odd(nn.Module):
    def forward(self, hidden_states: torch.Tensor, *arguments: Any) -> torch.Tensor:
        return torch.sort(hidden_states, dim=1).values


class Summed(nn.Module):
    def forward(self, hidden_states: torch.Tensor, *arguments: Any) -> torch.Tensor:
        return torch.cumsum(hidden_states, dim=1)


class Branching(nn.Module):
    def forward(self, hidden_states: torch.Tensor, *arguments: Any) -> torch.Tensor:
        return hidden_states if hidden_states.sum() > 0 else -hidden_states


def test_every_unsupported_op_is_found_in_one_look() -> None:
    """What follows one is looked at, too, and what gives two tensors."""
    unet = tiny_unet()
    unet.mid_block.resnets[0].nonlinearity = Odd()
    unet.mid_block.resnets[1].nonlinearity = Summed()
    refused: list[Refused] = []
    program = capture(unet, context_length=3, refused=refused)
    found = [(one.op.split(".")[1], one.module.split(".")[2]) for one in refused]
    assert list(dict.fromkeys(found)) == [("sort", "0"), ("cumsum", "1")]
    assert found.count(("sort", "0")) > 1
    assert [one.name for one in program.inputs] == ["sample", "encoder_hidden_states"]
    whole = capture(tiny_unet(), context_length=3)
    convolution = torch.ops.aten.conv2d.default
    counts = [sum(node.target is convolution for node in one.graph.graph.nodes) for one in (program, whole)]
    assert counts[0] == counts[1], "what only refused ops read is looked at, too: conv1 of both"


@pytest.mark.parametrize(("module", "op"), [(Odd(), "sort"), (Summed(), "cumsum")])
def test_unsupported_op_is_named_with_its_place(module: nn.Module, op: str) -> None:
    unet = tiny_unet()
    unet.mid_block.resnets[0].nonlinearity = module
    with pytest.raises(UnsupportedOperation, match=rf"aten\.{op}.* 'mid_block\.resnets\.0\.nonlinearity'"):
        capture(unet, context_length=3)


def test_a_size_that_the_model_refuses_is_said_in_one_sentence(caplog: pytest.LogCaptureFixture) -> None:
    """Blocks with self-attention alone don't bring an odd size back on the way up."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=(4, 3),
        down_block_types=("AttnDownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "AttnUpBlock2D"),
        block_out_channels=(8, 8),
        layers_per_block=1,
        attention_head_dim=2,
        norm_num_groups=4,
        cross_attention_dim=8,
    )
    with pytest.raises(UnsupportedOperation, match="at sample size 4 x 3: Sizes of tensors must match"):
        capture(unet, context_length=3)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_what_cannot_be_traced_is_said() -> None:
    unet = tiny_unet()
    unet.conv_act = Branching()
    with pytest.raises(UnsupportedOperation, match=r"torch\.export can't trace the UNet2DConditionModel"):
        capture(unet, context_length=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_size": None}, "sample_size="),
        ({"time_cond_proj_dim": 8}, "told the guidance scale, and none is settled"),
        ({"attention_type": "gated"}, "GLIGEN's gated layers, and nothing says which boxes"),
    ],
)
def test_models_without_known_inputs_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DgqcError, match=message):
        capture(tiny_unet(**options), context_length=3)


def test_other_models_are_refused() -> None:
    with pytest.raises(DgqcError, match="Linear is not a UNet"):
        capture(nn.Linear(2, 2))
