"""Checkpoints of the original layout: the architecture is read off names and shapes, at any size."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from original_names import averaged_names, original_names
from safetensors.torch import save_file

from dgqc.frontends import load_model
from dgqc.ir.errors import DgqcError

_UNet: Any = UNet2DConditionModel
CROSS, PLAIN = ("CrossAttnDownBlock2D", "CrossAttnUpBlock2D"), ("DownBlock2D", "UpBlock2D")


def blocks(*attends: bool) -> dict[str, Any]:
    kinds = [CROSS if one else PLAIN for one in attends]
    return {
        "down_block_types": [down for down, _ in kinds],
        "up_block_types": [up for _, up in kinds[::-1]],
        "norm_num_groups": 32,
    }


SDXL = {
    **blocks(False, True, True),
    "block_out_channels": (32, 64, 128),
    "transformer_layers_per_block": [1, 2, 3],
    "attention_head_dim": [1, 1, 2],
    "cross_attention_dim": 48,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "stable diffusion 1": {
        **blocks(True, True, False),
        "block_out_channels": (32, 64, 64),
        "attention_head_dim": 8,
        "cross_attention_dim": 24,
    },
    "a smaller one": {
        **blocks(True, False),
        "block_out_channels": (32, 64),
        "layers_per_block": 1,
        "attention_head_dim": 8,
        "cross_attention_dim": 24,
    },
    "told its guidance": {
        **blocks(True, False),
        "block_out_channels": (32, 64),
        "attention_head_dim": 8,
        "cross_attention_dim": 24,
        "time_cond_proj_dim": 12,
    },
    "stable diffusion 2": {
        **blocks(True, True, False),
        "block_out_channels": (64, 128, 128),
        "attention_head_dim": [1, 2, 2],
        "cross_attention_dim": 1024,
        "use_linear_projection": True,
    },
    "unclip": {
        **blocks(True, False),
        "block_out_channels": (64, 64),
        "attention_head_dim": [1, 1],
        "cross_attention_dim": 1024,
        "use_linear_projection": True,
        "class_embed_type": "projection",
        "projection_class_embeddings_input_dim": 40,
    },
    "inpainting": {
        **blocks(True, False),
        "in_channels": 9,
        "block_out_channels": (32, 64),
        "attention_head_dim": 8,
        "cross_attention_dim": 24,
    },
    "sdxl": {**SDXL, "projection_class_embeddings_input_dim": 6 * 256 + 16},
    "sdxl refiner": {**SDXL, "projection_class_embeddings_input_dim": 5 * 256 + 16},
    "upscaler": {
        **blocks(False, True, True),
        "in_channels": 7,
        "block_out_channels": (32, 64, 64),
        "attention_head_dim": 8,
        "cross_attention_dim": 24,
        "only_cross_attention": [False, True, True],
        "num_class_embeds": 100,
    },
    "ssd-1b": {
        **SDXL,
        "transformer_layers_per_block": [[0, 0], [2, 2], [3, 1]],
        "reverse_transformer_layers_per_block": [[3, 1, 1], [2, 1, 1], [0, 0, 0]],
        "mid_block_type": "UNetMidBlock2D",
        "projection_class_embeddings_input_dim": 6 * 256 + 16,
    },
}
CONTEXT = {"encoder_hidden_states", "sample", "timestep"}


def unet_of(name: str) -> Any:
    torch.manual_seed(0)
    return _UNet(sample_size=8, **{"layers_per_block": 2, **CONFIGS[name]}).eval()


def called(unet: Any) -> torch.Tensor:
    """The answer to inputs that depend on the UNet's sizes alone."""
    generator = torch.Generator().manual_seed(1)
    config = unet.config
    sample = torch.randn(1, config.in_channels, 8, 8, generator=generator)
    context = torch.randn(1, 5, config.cross_attention_dim, generator=generator)
    width = config.projection_class_embeddings_input_dim
    more: dict[str, Any] = {}
    if config.addition_embed_type:
        ids = 5 if width < 6 * 256 else 6
        more["added_cond_kwargs"] = {"text_embeds": torch.ones(1, 16), "time_ids": torch.ones(1, ids)}
    if config.class_embed_type:
        more["class_labels"] = torch.ones(1, width)
    if config.num_class_embeds:
        more["class_labels"] = torch.tensor([7])
    if config.time_cond_proj_dim:
        more["timestep_cond"] = torch.ones(1, config.time_cond_proj_dim)
    with torch.no_grad():
        answer: torch.Tensor = unet(sample, 500, context, **more).sample
    return answer


def scheduler(config: dict[str, Any]) -> str:
    """Who calls such a UNet where nothing else is said."""
    if "time_cond_proj_dim" in config:
        return "LCMScheduler"
    return "EulerDiscreteScheduler" if "addition_embed_type" in config else "DDIMScheduler"


def assert_same(found: Any, wanted: Any) -> None:
    """Weights to the bit; answers up to rounding, since some processors add in another order where weights
    lie in a mapped file."""
    own = found.state_dict()
    assert all(torch.equal(own[name], value) for name, value in wanted.state_dict().items())
    torch.testing.assert_close(called(found), called(wanted), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_unet_is_recognised(name: str, tmp_path: Path) -> None:
    unet = unet_of(name)
    weights = original_names(unet)
    weights["cond_stage_model.transformer.text_model.final_layer_norm.weight"] = torch.ones(4)
    weights["first_stage_model.decoder.conv_in.bias"] = torch.ones(4)
    save_file(weights, tmp_path / "published.safetensors")
    found: Any = load_model(tmp_path / "published.safetensors")
    assert_same(found.model, unet)
    assert found.scheduler["_class_name"] == scheduler(CONFIGS[name])


@pytest.mark.parametrize("kind", ["ckpt", "half", "without prefix"])
def test_forms_of_the_file(kind: str, tmp_path: Path) -> None:
    unet = unet_of("a smaller one")
    weights = original_names(unet, "" if kind == "without prefix" else "model.diffusion_model.")
    path = tmp_path / ("a.ckpt" if kind == "ckpt" else "a.safetensors")
    if kind == "ckpt":
        torch.save({"state_dict": weights, "global_step": 7, "callbacks": {}}, path)
    else:
        save_file(
            {name: tensor.half() if kind == "half" else tensor for name, tensor in weights.items()}, path
        )
    found: Any = load_model(path)
    expected = unet.half().float() if kind == "half" else unet
    assert_same(found.model, expected)


def test_averaged_weights_are_told_and_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    unet, other = unet_of("a smaller one"), unet_of("a smaller one")
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(0.5)
    path = tmp_path / "both.safetensors"
    save_file({**original_names(unet), **averaged_names(other)}, path)
    with caplog.at_level(logging.WARNING, "dgqc"):
        assert_same(load_model(path).model, unet)
    assert "averaged weights lie beside it: --weights-key ema" in caplog.text
    assert_same(load_model(path, "ema").model, other)


@pytest.mark.parametrize(
    ("name", "metadata", "mark", "predicts"),
    [
        ("a smaller one", {}, (), "epsilon"),
        ("sdxl", {}, (), "epsilon"),
        ("sdxl", {}, ("v_pred", "ztsnr"), "v_prediction"),
        ("stable diffusion 2", {}, (), None),
        ("stable diffusion 2", {"modelspec.architecture": "stable-diffusion-v2-768-v"}, (), "v_prediction"),
        ("stable diffusion 2", {"modelspec.architecture": "stable-diffusion-v2-512"}, (), "epsilon"),
        ("a smaller one", {"modelspec.predict_key": "v"}, (), "v_prediction"),
    ],
)
def test_what_a_file_says_of_its_prediction(
    name: str,
    metadata: dict[str, str],
    mark: tuple[str, ...],
    predicts: str | None,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    marks = {one: torch.zeros(0) for one in mark}
    save_file({**original_names(unet_of(name)), **marks}, tmp_path / "a.safetensors", metadata)
    with caplog.at_level(logging.WARNING, "dgqc"):
        found = load_model(tmp_path / "a.safetensors")
    assert found.scheduler is not None
    assert found.scheduler["prediction_type"] == (predicts or "epsilon")
    assert ("doesn't say what its UNet predicts" in caplog.text) == (predicts is None)


@pytest.mark.parametrize(
    ("marks", "kind", "said"),
    [
        ({"edm_mean": (4,), "edm_std": (4,)}, "EDMDPMSolverMultistepScheduler", {"sigma_data": 0.5}),
        (
            {"edm_vpred.sigma_max": 120.0, "edm_vpred.sigma_min": 0.002},
            "EDMEulerScheduler",
            {"sigma_max": 120.0, "prediction_type": "v_prediction"},
        ),
    ],
)
@pytest.mark.parametrize("start", ["model.diffusion_model.", ""])
def test_models_that_are_told_noise_levels(
    marks: dict[str, Any], kind: str, said: dict[str, Any], start: str, tmp_path: Path
) -> None:
    """Playground 2.5's file and CosXL's."""
    more = {
        name: torch.ones(one) if isinstance(one, tuple) else torch.tensor(one) for name, one in marks.items()
    }
    save_file({**original_names(unet_of("sdxl"), start), **more}, tmp_path / "a.safetensors")
    found = load_model(tmp_path / "a.safetensors").scheduler
    assert found is not None
    assert found["_class_name"] == kind
    assert found.items() >= said.items()


def test_noise_levels_that_are_none(tmp_path: Path) -> None:
    more = {"edm_vpred.sigma_max": torch.tensor(torch.nan)}
    save_file({**original_names(unet_of("sdxl")), **more}, tmp_path / "a.safetensors")
    with pytest.raises(DgqcError, match=r"noise levels from 0\.002 to nan"):
        load_model(tmp_path / "a.safetensors")


@pytest.mark.parametrize(("steps", "predicts"), [(875_000, "epsilon"), (140_000, "v_prediction")])
def test_steps_of_training_say_it_too(steps: int, predicts: str, tmp_path: Path) -> None:
    weights = original_names(unet_of("stable diffusion 2"))
    torch.save({"state_dict": weights, "global_step": steps}, tmp_path / "a.ckpt")
    found = load_model(tmp_path / "a.ckpt")
    assert found.scheduler is not None
    assert found.scheduler["prediction_type"] == predicts


def test_parts_that_are_left_out_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    others = ("cond_stage_model.transformer.text_model.a", "first_stage_model.decoder.b", "control_model.c")
    weights = original_names(unet_of("a smaller one")) | {name: torch.ones(4) for name in others}
    save_file(weights, tmp_path / "a.safetensors")
    with caplog.at_level(logging.WARNING, "dgqc"):
        load_model(tmp_path / "a.safetensors")
    assert "Its ControlNet is left out; a program has no place for it" in caplog.text
    assert "Its VAE" not in caplog.text
    assert "It holds a text encoder, but no tokenizer, as no such file does" in caplog.text


@pytest.mark.parametrize("scaled", ["", "scale_weight", "weight_scale"])
def test_floats_of_eight_bits(scaled: str, tmp_path: Path) -> None:
    """Plain ones, and with a scale in two forms of ComfyUI's."""
    unet = unet_of("a smaller one")
    weights, stored = original_names(unet), {}
    for name, tensor in weights.items():
        small = tensor.dim() < 2
        scale = torch.tensor(1.0 if small or not scaled else float(tensor.abs().max()) / 400)
        stored[name] = tensor if small else (tensor / scale).to(torch.float8_e4m3fn)
        if scaled and not small:
            stored[name.removesuffix("weight") + scaled] = scale
        if scaled == "weight_scale" and not small:
            said = b'{"format": "float8_e4m3fn"}'
            stored[name.removesuffix("weight") + "comfy_quant"] = torch.tensor(list(said), dtype=torch.uint8)
    if scaled == "scale_weight":
        stored["model.diffusion_model.scaled_fp8"] = torch.zeros(0)
    save_file(stored, tmp_path / "a.safetensors")
    found: Any = load_model(tmp_path / "a.safetensors").model
    for name, tensor in unet.state_dict().items():
        other = found.state_dict()[name]
        assert (other - tensor).norm() <= 0.05 * tensor.norm(), name


def test_forms_of_comfyui_that_others_cannot_read(tmp_path: Path) -> None:
    said = torch.tensor(list(b'{"format": "nvfp4"}'), dtype=torch.uint8)
    weights = original_names(unet_of("a smaller one"))
    save_file({**weights, "model.diffusion_model.out.2.comfy_quant": said}, tmp_path / "a.safetensors")
    with pytest.raises(DgqcError, match=r"out\.2 is stored as nvfp4, which only ComfyUI reads"):
        load_model(tmp_path / "a.safetensors")


def test_a_network_of_videos(tmp_path: Path) -> None:
    more = {"model.diffusion_model.input_blocks.1.0.time_stack.in_layers.0.weight": torch.ones(4)}
    save_file({**original_names(unet_of("a smaller one")), **more}, tmp_path / "svd.safetensors")
    with pytest.raises(DgqcError, match="holds Stable Video Diffusion's UNet"):
        load_model(tmp_path / "svd.safetensors")


def test_refusals(tmp_path: Path) -> None:
    weights = original_names(unet_of("a smaller one"))
    path = tmp_path / "one.safetensors"
    save_file(weights, path)
    with pytest.raises(DgqcError, match="no averaged weights"):
        load_model(path, "ema")
    with pytest.raises(DgqcError, match="can only be ema"):
        load_model(path, "model")
    save_file({**weights, "model.diffusion_model.adapter.weight": torch.ones(2)}, path)
    with pytest.raises(DgqcError, match=r"adapter\.weight, for which diffusers' UNet has no place"):
        load_model(path)
    less = {name: tensor for name, tensor in weights.items() if ".output_blocks.3." not in name}
    save_file(less, path)
    with pytest.raises(DgqcError, match=r"1\+1 blocks on the way down and 3 on the way up"):
        load_model(path)
