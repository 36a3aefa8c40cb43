"""Adapters that peft wrote, against what peft itself merges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import save_file

from dgqc.frontends import load_model
from dgqc.frontends.adapters.adapter import Adapter
from dgqc.frontends.loading.pipelines import load_pipeline

from .adapter_forms import layers_of
from .conftest import tiny_unet
from .test_adapters import FORMS, check

peft = pytest.importorskip("peft")

TARGETS = ["to_q", "to_v", "ff.net.2", "conv1", "proj_in"]
CONFIGS: dict[str, Callable[[], Any]] = {
    "lora": lambda: peft.LoraConfig(r=3, lora_alpha=6, target_modules=TARGETS),
    "rank-stabilized": lambda: peft.LoraConfig(r=4, lora_alpha=6, use_rslora=True, target_modules=TARGETS),
    "patterns": lambda: peft.LoraConfig(
        r=3,
        lora_alpha=6,
        rank_pattern={"attn1.to_q": 2},
        alpha_pattern={"conv1": 12},
        target_modules=TARGETS,
    ),
    "dora": lambda: peft.LoraConfig(r=3, lora_alpha=6, use_dora=True, target_modules=TARGETS),
    "loha": lambda: peft.LoHaConfig(r=3, alpha=6, target_modules=TARGETS),
    "loha, tucker": lambda: peft.LoHaConfig(r=3, alpha=6, use_effective_conv2d=True, target_modules=TARGETS),
    "lokr": lambda: peft.LoKrConfig(r=2, alpha=6, target_modules=TARGETS),
    "lokr, tucker": lambda: peft.LoKrConfig(
        r=2, alpha=6, use_effective_conv2d=True, decompose_both=True, target_modules=TARGETS
    ),
}


@pytest.mark.parametrize("kind", CONFIGS)
def test_peft_merges_the_same(kind: str, tmp_path: Path) -> None:
    unet = tiny_unet(block_out_channels=(16,))
    unet.save_pretrained(tmp_path / "unet")
    model = peft.get_peft_model(unet, CONFIGS[kind]())
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name or "hada_" in name or "lokr_" in name:
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    model.save_pretrained(tmp_path / "adapter")
    expected = model.merge_and_unload().state_dict()
    found = load_model(tmp_path / "unet", adapters=[Adapter(tmp_path / "adapter")]).model.state_dict()
    before = load_model(tmp_path / "unet").model.state_dict()
    assert found.keys() == expected.keys()
    moved = [name for name, tensor in expected.items() if not torch.equal(tensor, before[name])]
    assert {name.rpartition(".")[0].split(".")[-1] for name in moved} >= {"to_q", "to_v", "2", "conv1"}
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("form", ["kohya", "diffusers", "diffusers before peft"])
def test_diffusers_fuses_the_same(form: str, pipeline_folder: Path, tmp_path: Path) -> None:
    """Files in each form of keys that diffusers reads, which hands them to peft; a text encoder's beside."""
    whole = load_pipeline(pipeline_folder)
    tensors = FORMS[form](whole.unet)
    if form == "kohya":
        flat = "lora_te_text_model_encoder_layers_0_mlp_fc1"
        size, inner = whole.text_encoder.config.hidden_size, whole.text_encoder.config.intermediate_size
        down, up = 0.1 * torch.randn(2, size), 0.1 * torch.randn(inner, 2)
        tensors |= {f"{flat}.lora_down.weight": down, f"{flat}.lora_up.weight": up}
        tensors |= {f"{flat}.alpha": torch.tensor(1.0)}
    save_file(tensors, tmp_path / "a.safetensors")
    before = {name: tensor.clone() for name, tensor in whole.unet.state_dict().items()}
    whole.load_lora_weights(tmp_path, weight_name="a.safetensors")
    whole.fuse_lora(lora_scale=0.5)
    whole.unload_lora_weights()
    loaded = load_model(pipeline_folder, adapters=[Adapter(tmp_path / "a.safetensors", 0.5)])
    assert loaded.pipeline is not None
    found = loaded.pipeline.load({"unet": loaded.model})
    for part in ("unet", "text_encoder"):
        check(getattr(found, part).state_dict(), getattr(whole, part).state_dict())
    moved = [name for name, one in whole.unet.state_dict().items() if not torch.equal(one, before[name])]
    assert len(moved) == len(layers_of(whole.unet))


def test_diffusers_takes_compviss_names_for_the_same(pipeline_folder: Path, tmp_path: Path) -> None:
    """SDXL's files of kohya's scripts have them."""
    unet: Any = load_pipeline(pipeline_folder).unet
    save_file(FORMS["kohya, CompVis' names"](unet), tmp_path / "a.safetensors")
    loaders: Any = StableDiffusionXLPipeline
    state, alphas, *_ = loaders.lora_state_dict(
        tmp_path, weight_name="a.safetensors", unet_config=unet.config
    )
    loaders.load_lora_into_unet(state, network_alphas=alphas, unet=unet)
    unet.fuse_lora(0.5)
    unet.unload_lora()
    found = load_model(pipeline_folder, adapters=[Adapter(tmp_path / "a.safetensors", 0.5)])
    check(found.model.state_dict(), unet.state_dict())
