"""Conditions of a model that comes alone look as pipelines' do."""

from __future__ import annotations

from pathlib import Path

import architectures
import pytest
import torch

from dgqc.frontends.calibrating.conditions import (
    draw_conditions,
    draw_labels,
    invents,
    label_count,
    text_like,
)
from dgqc.frontends.loading.load import load_model
from dgqc.frontends.loading.model_inputs import model_inputs

from . import tiny_pipelines
from .conftest import tiny_unet


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_contexts_look_like_a_text_encoder_s() -> None:
    found, empty = text_like((8, 77, 768), generator())
    for contexts in (found, empty):
        assert contexts.mean().abs() < 0.1
        assert 0.9 < contexts.std() < 1.2
    # The start token is an encoder's own, and in every second one most of it lies in two channels.
    assert torch.equal(found[:, 0], empty[:, 0])
    squares = found[:, 0].square().sort(descending=True).values
    share = squares[:, :2].sum(1) / squares.sum(1)
    assert share[::2].min() > 0.7 > 0.3 > share[1::2].max()
    # Padding is nearly one token; words differ.
    alike = torch.nn.functional.cosine_similarity
    assert alike(found[:, -1], found[:, -2]).min() > 0.9
    assert alike(empty[:, 1], empty[:, -1]).min() > 0.9
    assert alike(found[:, 1], found[:, 2]).max() < 0.9


def test_contexts_lie_where_the_model_listens(tmp_path: Path) -> None:
    """A model whose layers read two channels of sixteen gets contexts that lie there; so does its program."""
    unet = tiny_unet()
    readers = [module for module in unet.modules() if getattr(module, "is_cross_attention", False)]
    assert readers
    with torch.no_grad():
        for reader in readers:
            reader.to_k.weight[:, 2:] = 0
            reader.to_v.weight[:, 2:] = 0
    inputs = model_inputs(unet, None, 5)
    values = {one.name: torch.ones(one.shape) for one in inputs}
    exported = torch.export.export(unet, (), {**values, "return_dict": False}, strict=False)
    torch.export.save(exported, tmp_path / "unet.pt2")
    loaded = load_model(tmp_path / "unet.pt2").model
    for model in (unet, loaded):
        context = draw_conditions(model, inputs, 8, generator()).given["encoder_hidden_states"]
        words = context[:, 1:].square().mean((0, 1))
        # The norm moves the mean of what else would be nothing.
        assert words[:2].min() > 5 * words[2:].max()


def test_labels_come_before_any_comes_again() -> None:
    assert sorted(draw_labels(5, 5, generator()).tolist()) == list(range(5))
    assert draw_labels(5, 12, generator()).bincount().tolist() in [
        [a, b, c, d, e] for a in (2, 3) for b in (2, 3) for c in (2, 3) for d in (2, 3) for e in (2, 3)
    ]


def test_the_label_table_says_how_many_there_are(tmp_path: Path) -> None:
    unet = tiny_pipelines.unet(num_class_embeds=7)
    assert label_count(unet) == 7
    assert label_count(tiny_pipelines.unet()) == 1
    sample, label = torch.zeros(1, 3, 8, 8), torch.tensor([1])
    exported = torch.export.export(
        unet, (sample, torch.tensor([5.0])), {"class_labels": label, "return_dict": False}, strict=False
    )
    torch.export.save(exported, tmp_path / "unet.pt2")
    loaded = load_model(tmp_path / "unet.pt2").model
    assert label_count(loaded) == 7


def test_sdxl_says_nothing_with_zeros() -> None:
    unet = architectures.stable_diffusion_xl()
    found = draw_conditions(unet, model_inputs(unet, None, 5), 2, generator())
    assert found.empty is not None
    assert found.empty["encoder_hidden_states"].count_nonzero() == 0
    assert found.empty["text_embeds"].count_nonzero() == 0
    assert torch.equal(found.empty["time_ids"], found.given["time_ids"])
    assert found.rows(1, 1).given["text_embeds"].shape[0] == 1


@pytest.mark.parametrize("kind", ["timestep", None])
def test_noise_levels_and_classes(kind: str | None) -> None:
    unet = tiny_unet(class_embed_type=kind, num_class_embeds=None if kind else 9)
    found = draw_conditions(unet, model_inputs(unet, None, 5), 9, generator()).given["class_labels"]
    assert torch.equal(found, found.round())
    assert (found.max() > 9) == (kind == "timestep")


def test_what_only_another_network_knows() -> None:
    """Contexts are invented; noise, classes and what no layer reads aren't."""
    without = tiny_unet(down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",), mid_block_type=None)
    assert not invents(without)
    assert draw_conditions(without, model_inputs(without, None, 5), 2, generator()).empty is None
    assert not invents(tiny_pipelines.unet(num_class_embeds=7))
    assert invents(tiny_unet())
    assert invents(architectures.stable_diffusion_xl())
