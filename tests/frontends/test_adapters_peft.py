"""Adapters that peft wrote, against what peft itself merges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dgqc.frontends import load_model
from dgqc.frontends.adapters.adapter import Adapter

from .conftest import tiny_unet

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
