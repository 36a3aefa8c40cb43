"""Rarer configurations of UNets are captured like the others."""

from __future__ import annotations

from typing import Any

import architectures
import pytest
import torch
from diffusers import UNet2DModel

from dgqc.frontends import capture

from .captured_graph import TIMESTEP, run
from .conftest import tiny_unet


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"class_embed_type": "timestep"}, (1,)),
        ({"class_embed_type": "projection", "projection_class_embeddings_input_dim": 5}, (1, 5)),
        ({"class_embed_type": "simple_projection", "projection_class_embeddings_input_dim": 5}, (1, 5)),
        ({"class_embed_type": "identity"}, (1, 32)),
        ({"num_class_embeds": 4}, (1,)),
        ({"num_class_embeds": 4, "class_embeddings_concat": True}, (1,)),
    ],
    ids=["timestep", "projection", "simple", "identity", "table", "concatenated"],
)
def test_class_labels(options: dict[str, Any], shape: tuple[int, ...]) -> None:
    unet = tiny_unet(**options)
    program = capture(unet, context_length=3)
    assert program.inputs[2].name == "class_labels"
    assert program.inputs[2].shape == shape
    # Concatenating the one time embedding with every sample's class embedding fits at batch 1 only.
    assert program.batched is not options.get("class_embeddings_concat", False)
    for batch in (1, 2) if program.batched else (1,):
        labels = torch.arange(batch) + 1 if "num_class_embeds" in options else torch.rand(batch, *shape[1:])
        inputs = {"sample": torch.randn(batch, 4, 8, 8), "encoder_hidden_states": torch.randn(batch, 3, 16)}
        inputs["class_labels"] = labels
        expected = architectures.run_model(unet, inputs, TIMESTEP)
        torch.testing.assert_close(run(program, inputs), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"time_embedding_type": "fourier"},
        {"mid_block_type": "UNetMidBlock2D"},
        {"mid_block_type": None},
        {"mid_block_type": "UNetMidBlock2DSimpleCrossAttn"},
        {"center_input_sample": True},
        {"cross_attention_norm": "layer_norm"},
        {"resnet_skip_time_act": True, "resnet_out_scale_factor": 1.5},
        {"conv_in_kernel": 1, "conv_out_kernel": 1},
        {"encoder_hid_dim_type": "text_proj", "encoder_hid_dim": 9},
        {"timestep_post_act": "silu"},
        {"block_out_channels": (6,), "norm_num_groups": 3, "freq_shift": 1},
        {
            "down_block_types": ("SimpleCrossAttnDownBlock2D",),
            "up_block_types": ("SimpleCrossAttnUpBlock2D",),
            "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        },
    ],
    ids=lambda options: "-".join(f"{key}={value}" for key, value in options.items())[:50],
)
def test_options(options: dict[str, Any]) -> None:
    """Rarer configurations."""
    unet = tiny_unet(**options)
    width = options.get("encoder_hid_dim", 16)
    program = capture(unet, context_length=3)
    for batch in (1, 2):
        inputs = {
            "sample": torch.randn(batch, 4, 8, 8),
            "encoder_hidden_states": torch.randn(batch, 3, width),
        }
        expected = architectures.run_model(unet, inputs, TIMESTEP)
        torch.testing.assert_close(run(program, inputs), expected, rtol=1e-5, atol=1e-5)
    assert program.batched


def test_output_divided_by_the_noise_level() -> None:
    """UNet2DModel with a Fourier embedding divides what it returns by the timestep."""
    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=4,
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
        block_out_channels=(8,),
        layers_per_block=1,
        norm_num_groups=4,
        time_embedding_type="fourier",
    ).eval()
    program = capture(unet)
    # The model itself insists on one timestep per sample here.
    inputs = {"sample": torch.randn(1, 3, 4, 4)}
    expected = architectures.run_model(unet, inputs, TIMESTEP)
    torch.testing.assert_close(run(program, inputs), expected, rtol=1e-5, atol=1e-5)


def skipping(levels: int) -> UNet2DModel:
    return UNet2DModel(
        sample_size=8,
        down_block_types=("SkipDownBlock2D",) * levels,
        up_block_types=("SkipUpBlock2D",) * levels,
        block_out_channels=(32,) * levels,
        layers_per_block=1,
    ).eval()


def test_additions_in_place() -> None:
    """The skip blocks add to their output in place."""
    unet = skipping(1)
    program = capture(unet)
    inputs = {"sample": torch.randn(2, 3, 8, 8)}
    expected = architectures.run_model(unet, inputs, TIMESTEP)
    torch.testing.assert_close(run(program, inputs), expected, rtol=1e-5, atol=1e-5)


def test_filtered_resampling() -> None:
    """Fixed filters on the way down and up: depthwise convolutions, zeros between pixels."""
    unet = skipping(2)
    program = capture(unet)
    inputs = {"sample": torch.randn(1, 3, 8, 8)}
    expected = architectures.run_model(unet, inputs, TIMESTEP)
    torch.testing.assert_close(run(program, inputs), expected, rtol=1e-4, atol=1e-5)


def test_half_precision_and_training_mode() -> None:
    unet = tiny_unet().half().train()
    program = capture(unet, context_length=3)
    assert unet.training
    assert next(unet.parameters()).dtype == torch.float16
    inputs = {"sample": torch.randn(1, 4, 8, 8), "encoder_hidden_states": torch.randn(1, 3, 16)}
    expected = architectures.run_model(unet.float().eval(), inputs, TIMESTEP)
    torch.testing.assert_close(run(program, inputs), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_full_size_on_the_meta_device() -> None:
    unet = architectures.stable_diffusion_1_full()
    program = capture(unet)
    assert sum(p.numel() for p in program.graph.parameters()) == 859_520_964
    assert all(parameter.is_meta for parameter in program.graph.parameters())
    assert program.batched
    assert program.inputs[1].shape == (1, 77, 768)
