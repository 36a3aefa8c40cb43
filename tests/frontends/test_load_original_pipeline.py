"""Checkpoints in one file as whole pipelines: with a tokenizer, they draw as their folders do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import text_parts
import torch
from original_names import original_names
from original_parts import clip, encoder, open_clip, vae_names
from original_pipelines import Tensors, sdxl, stable_diffusion, vae, with_last_layer
from safetensors.torch import save_file

from dgqc.frontends import calibrate, load_model
from dgqc.frontends.adapters.adapter import Adapter
from dgqc.frontends.loading.load import LoadedModel
from dgqc.ir.errors import DgqcError

from .test_load_original import CONFIGS, unet_of

PIPELINES: dict[str, Callable[[], tuple[Any, Tensors]]] = {
    "stable diffusion 1": lambda: stable_diffusion(unet_of("stable diffusion 1"), clip, "quick_gelu"),
    "stable diffusion 2": lambda: stable_diffusion(unet_of("stable diffusion 2"), with_last_layer, "gelu"),
    "stable diffusion 2, from diffusers": lambda: stable_diffusion(
        unet_of("stable diffusion 2"), lambda text: open_clip(text, "cond_stage_model.model."), "gelu"
    ),
    "sdxl": lambda: sdxl(unet_of("sdxl")),
}


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    text_parts.tokenizer().save_pretrained(tmp_path / "tokenizer")
    return tmp_path / "tokenizer"


def whole(loaded: LoadedModel) -> Any:
    """The pipeline that a file was loaded with."""
    assert loaded.pipeline is not None
    return loaded.pipeline.load({"unet": loaded.model})


def drawn(pipeline: Any, **options: Any) -> torch.Tensor:
    pipeline.set_progress_bar_config(disable=True)
    found: torch.Tensor = pipeline(
        "a red square",
        num_inference_steps=2,
        height=16,
        width=16,
        generator=torch.Generator().manual_seed(3),
        output_type="pt",
        **options,
    ).images
    return found


@pytest.mark.parametrize("name", PIPELINES)
def test_a_file_draws_as_its_folder_does(name: str, tmp_path: Path, tokenizer: Path) -> None:
    pipeline, weights = PIPELINES[name]()
    save_file(weights, tmp_path / "published.safetensors")
    loaded = load_model(tmp_path / "published.safetensors", tokenizer=tokenizer)
    assert loaded.context_length == text_parts.TOKENS
    found = whole(loaded)
    assert type(found) is type(pipeline)
    for part in ("text_encoder", "text_encoder_2", "vae"):
        if getattr(pipeline, part, None) is not None:
            own, other = getattr(pipeline, part).state_dict(), getattr(found, part).state_dict()
            assert own.keys() == other.keys()
            assert all(torch.equal(own[key], other[key]) for key in own), part
    if name == "sdxl":
        found.vae.register_to_config(scaling_factor=pipeline.vae.config.scaling_factor)
    torch.testing.assert_close(drawn(found), drawn(pipeline), rtol=1e-4, atol=1e-5)


def test_the_refiner_changes_pictures(tmp_path: Path, tokenizer: Path) -> None:
    pipeline, weights = sdxl(unet_of("sdxl refiner"), refiner=True)
    torch.save({"state_dict": weights}, tmp_path / "refiner.ckpt")
    loaded = load_model(tmp_path / "refiner.ckpt", tokenizer=tokenizer)
    found = whole(loaded)
    assert type(found) is type(pipeline)
    assert found.config.requires_aesthetics_score
    assert found.text_encoder is None
    assert (found.vae.config.scaling_factor, found.tokenizer_2.pad_token_id) == (0.13025, 0)


KINDS = {
    "inpainting": "StableDiffusionInpaintPipeline",
    "upscaler": "StableDiffusionUpscalePipeline",
}


@pytest.mark.parametrize("name", KINDS)
def test_what_changes_pictures_is_recognised(name: str, tmp_path: Path, tokenizer: Path) -> None:
    weights = {**original_names(unet_of(name)), **clip(encoder(24)), **vae_names(vae())}
    save_file(weights, tmp_path / "a.safetensors")
    loaded = load_model(tmp_path / "a.safetensors", tokenizer=tokenizer)
    assert type(whole(loaded)).__name__ == KINDS[name]


def test_a_file_calibrates_with_prompts(
    tmp_path: Path, tokenizer: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline, weights = PIPELINES["stable diffusion 1"]()
    path = tmp_path / "a.safetensors"
    save_file(weights, path, {"modelspec.predict_key": "v"})
    pipeline.unet.register_to_config(sample_size=64)
    pipeline.save_pretrained(tmp_path / "folder")
    with caplog.at_level(logging.WARNING, "dgqc"):
        found = calibrate(path, ["a red square"], 2, tmp_path / "c.safetensors", tokenizer=tokenizer)
    assert "left out" not in caplog.text
    folder = calibrate(tmp_path / "folder", ["a red square"], 2, tmp_path / "d.safetensors")
    own, other = next(iter(found.read(0))), next(iter(folder.read(0)))
    assert own.keys() == other.keys()
    assert all(torch.allclose(own[name], other[name], atol=1e-5) for name in own)
    # What the file says of its prediction counts: the second call is at other latents.
    assert not torch.allclose(next(iter(found.read(1)))["sample"], next(iter(folder.read(1)))["sample"])
    with pytest.raises(DgqcError, match=r"a\.safetensors is no pipeline as it stands; .* with --tokenizer"):
        calibrate(path, ["a red square"], 2, tmp_path / "c.safetensors")


def test_adapters_reach_the_text_encoder(tmp_path: Path, tokenizer: Path) -> None:
    _, weights = PIPELINES["stable diffusion 1"]()
    save_file(weights, tmp_path / "a.safetensors")
    layer = "lora_te_text_model_encoder_layers_0_mlp_fc1"
    change = {
        f"{layer}.lora_down.weight": torch.ones(1, 24),
        f"{layer}.lora_up.weight": torch.ones(32, 1),
        f"{layer}.alpha": torch.tensor(1.0),
        "lora_unet_down_blocks_0_resnets_0_conv1.lora_down.weight": torch.ones(1, 32, 3, 3),
        "lora_unet_down_blocks_0_resnets_0_conv1.lora_up.weight": torch.ones(32, 1, 1, 1),
    }
    save_file(change, tmp_path / "lora.safetensors")
    plain = load_model(tmp_path / "a.safetensors", tokenizer=tokenizer)
    merged = load_model(
        tmp_path / "a.safetensors", adapters=[Adapter(tmp_path / "lora.safetensors")], tokenizer=tokenizer
    )
    weight = [
        one.pipeline.load({"unet": one.model}).text_encoder.state_dict()
        for one in (plain, merged)
        if one.pipeline
    ]
    (name,) = (name for name in weight[0] if name.endswith("layers.0.mlp.fc1.weight"))
    torch.testing.assert_close(weight[1][name], weight[0][name] + 1)


def test_terminal_noise_is_the_schedulers(tmp_path: Path) -> None:
    marks = {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}
    save_file({**original_names(unet_of("sdxl")), **marks}, tmp_path / "a.safetensors")
    scheduler = load_model(tmp_path / "a.safetensors").scheduler
    assert scheduler is not None
    assert scheduler["rescale_betas_zero_snr"] is True
    assert scheduler["prediction_type"] == "v_prediction"


def test_refusals(tmp_path: Path, tokenizer: Path) -> None:
    path = tmp_path / "a.safetensors"
    unet = original_names(unet_of("a smaller one"))
    text = clip(encoder(24))
    (tmp_path / "empty").mkdir()

    def refused(weights: Tensors, folder: Path = tokenizer) -> str:
        save_file(weights, path)
        with pytest.raises(DgqcError) as caught:
            whole(load_model(path, tokenizer=folder))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "holds no text encoder, which alone reads prompts" in refused(unet)
    assert "holds no tokenizer (tokenizer.json, " in refused({**unet, **text}, tmp_path / "empty")
    (name,) = (one for one in text if one.endswith("layers.1.mlp.fc2.bias"))
    assert "text_encoder's encoder.layers.1.mlp.fc2.bias is missing" in refused(
        {**unet, **{one: tensor for one, tensor in text.items() if one != name}}
    ).replace("text_model.", "")
    half = {one: tensor for one, tensor in vae_names(vae()).items() if ".encoder." not in one}
    assert "holds a part of a VAE (first_stage_model.*) alone" in refused({**unet, **text, **half})
    few = {
        one: tensor[:4].contiguous() if one.endswith("token_embedding.weight") else tensor
        for one, tensor in text.items()
    }
    assert "The tokenizer knows 8 tokens, but the text encoder of" in refused({**unet, **few})
    pictures = original_names(unet_of("unclip"))
    assert "draws after pictures, and what encodes these" in refused(
        {**pictures, **open_clip(encoder(1024, 1), "cond_stage_model.model.")}
    )
    with pytest.raises(DgqcError, match="is a folder, and pipelines there have tokenizers"):
        load_model(tmp_path, tokenizer=tokenizer)


def test_configs_of_these_tests_are_those_of_the_unets() -> None:
    assert {"sdxl", "sdxl refiner", "unclip", *KINDS} <= set(CONFIGS)
