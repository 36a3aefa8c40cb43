"""The variant with outliers computes the same, and really has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from dgqc.demo_model import load_pipeline
from dgqc.demo_model.outliers import FACTOR, with_outliers


@pytest.fixture(scope="module")
def unets() -> tuple[torch.nn.Module, torch.nn.Module]:
    unet: torch.nn.Module = load_pipeline().unet
    return unet, with_outliers(unet)


def inputs() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    return {
        "sample": torch.randn(2, 12, 16, 16, generator=generator),
        "timestep": 481,
        "encoder_hidden_states": torch.randn(2, 16, 128, generator=generator),
    }


def test_every_bit_of_the_output_stays(unets: tuple[torch.nn.Module, torch.nn.Module]) -> None:
    plain, changed = unets
    with torch.no_grad():
        wanted, found = (unet(**inputs(), return_dict=False)[0] for unet in (plain, changed))
    assert torch.equal(wanted, found)
    assert not torch.equal(
        plain.mid_block.attentions[0].norm.weight, changed.mid_block.attentions[0].norm.weight
    )


@pytest.mark.parametrize(
    "layer", ["attn1.to_q", "attn2.to_q", "ff.net.0", "ff.net.2", "attn1.to_out.0", "attn2.to_out.0"]
)
def test_what_layers_read_has_outliers(unets: tuple[torch.nn.Module, torch.nn.Module], layer: str) -> None:
    ratios = []
    for unet in unets:
        seen: list[torch.Tensor] = []
        module = unet.get_submodule(f"up_blocks.1.attentions.0.transformer_blocks.0.{layer}")
        handle = module.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0]))
        with torch.no_grad():
            unet(**inputs())
        handle.remove()
        largest = seen[0].abs().amax(dim=(0, 1))
        ratios.append(float(largest.max() / largest.median()))
    assert ratios[1] > max(4 * ratios[0], FACTOR / 2)


def test_folder_holds_a_whole_pipeline(
    tmp_path: Path, unets: tuple[torch.nn.Module, torch.nn.Module]
) -> None:
    pipeline = load_pipeline()
    pipeline.register_modules(unet=unets[1])
    pipeline.save_pretrained(tmp_path)
    stored = load_pipeline(tmp_path).unet
    assert all(torch.equal(a, b) for a, b in zip(stored.parameters(), unets[1].parameters(), strict=True))
