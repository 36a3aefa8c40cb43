"""What diffusers calls a UNet with becomes inputs by name, and arguments again."""

from __future__ import annotations

from typing import Any

import torch

from dgqc.frontends.loading.arguments import call_arguments, named_arguments, place_of
from dgqc.frontends.loading.model_inputs import recorded_inputs

MANY = [torch.full((1, 2, 3, 3), float(one)) for one in range(12)]
CALL: dict[str, Any] = {
    "sample": torch.ones(1, 4, 8, 8),
    "timestep": torch.tensor(3),
    "encoder_hidden_states": torch.ones(1, 5, 6),
    "encoder_attention_mask": torch.tensor([[True, True, False, False, False]]),
    "added_cond_kwargs": {"text_embeds": torch.ones(1, 7), "image_embeds": [torch.ones(1, 2, 9)]},
    "down_block_additional_residuals": tuple(MANY),
    "mid_block_additional_residual": MANY[5],
    "cross_attention_kwargs": None,
    "down_intrablock_additional_residuals": [],
    "return_dict": False,
}


def test_there_and_back() -> None:
    named, unknown = named_arguments(CALL)
    assert not unknown
    assert [float(named[f"down_residual_{one}"].mean()) for one in range(12)] == list(range(12))
    assert named["encoder_attention_mask"].tolist() == [[1, 1, 0, 0, 0]]
    back = call_arguments(named)
    assert back["down_block_additional_residuals"] == MANY
    assert back["mid_block_additional_residual"] is MANY[5]
    assert back["added_cond_kwargs"] == CALL["added_cond_kwargs"]
    assert set(CALL) - set(back) == {
        "timestep",
        "cross_attention_kwargs",
        "down_intrablock_additional_residuals",
        "return_dict",
    }
    assert named_arguments({}) == ({}, ())


def test_what_a_call_alone_shows() -> None:
    named, _ = named_arguments(CALL)
    found = [one.name for one in recorded_inputs(dict(sorted(named.items())))]
    numbered = [f"down_residual_{one}" for one in range(12)]
    assert found == ["encoder_attention_mask", "image_embeds_0", *numbered, "mid_residual"]


def test_a_list_is_not_one_tensor() -> None:
    one = named_arguments({"added_cond_kwargs": {"image_embeds": torch.ones(1, 9)}})[0]
    several = named_arguments({"added_cond_kwargs": {"image_embeds": [torch.ones(1, 2, 9)]}})[0]
    assert [*one, *several] == ["image_embeds", "image_embeds_0"]


def test_unknown_arguments_are_named() -> None:
    others = {"cross_attention_kwargs": {"scale": 0.5}, "sample": [torch.ones(1)], "hint": "none"}
    assert named_arguments(others) == ({}, ("cross_attention_kwargs.scale", "sample", "hint"))
    assert place_of("down_residual") is place_of("image_embeds_x") is None
