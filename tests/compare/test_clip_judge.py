"""CLIP scores through torchmetrics, with a tiny CLIP of random weights in a folder."""

from __future__ import annotations

import json
import string
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from dgqc.compare import clip_judge as judging
from dgqc.compare.clip_judge import clip_judge
from dgqc.ir.errors import DgqcError

pytest.importorskip("torchmetrics")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("clip")
    letters = [*string.ascii_lowercase, *(f"{letter}</w>" for letter in string.ascii_lowercase)]
    words = {word: place for place, word in enumerate([*letters, "<|startoftext|>", "<|endoftext|>"])}
    (place / "vocab.json").write_text(json.dumps(words))
    (place / "merges.txt").write_text("#version: 0.2\n")
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = transformers.CLIPConfig(
        text_config={**sizes, "vocab_size": len(words), "max_position_embeddings": 32,
                     "bos_token_id": words["<|startoftext|>"], "eos_token_id": words["<|endoftext|>"]},
        vision_config={**sizes, "image_size": 32, "patch_size": 16},
        projection_dim=8,
    )  # fmt: skip
    model = transformers.CLIPModel(config)
    # Pictures and texts lie on one side of the origin, for torchmetrics takes scores below 0 for 0.
    model.vision_model.post_layernorm.bias.data.fill_(2)
    model.text_model.final_layer_norm.bias.data.fill_(2)
    model.visual_projection.weight.data.abs_()
    model.text_projection.weight.data.abs_()
    model.save_pretrained(place)
    tokenizer = transformers.CLIPTokenizer(str(place / "vocab.json"), str(place / "merges.txt"))
    size = {"crop_size": 32, "size": {"shortest_edge": 32}}
    transformers.CLIPProcessor(transformers.CLIPImageProcessor(**size), tokenizer).save_pretrained(place)
    return place


def test_scores_depend_on_the_prompt_and_on_the_picture(folder: Path) -> None:
    judge = clip_judge(folder, None, inception=False)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
    scores = [
        judge.judge(some, prompts, None)["clip_score"]
        for some, prompts in (
            (pictures, ["cat", "dog", "sun"]),
            (pictures, ["cat", "dog", "moon"]),
            (pictures[:, ::-1].copy(), ["cat", "dog", "sun"]),
        )
    ]
    assert len(set(scores)) == 3
    assert all(0 < score <= 100 for score in scores)
    # A judge keeps nothing of what it judged before.
    assert judge.judge(pictures, ["cat", "dog", "sun"], None)["clip_score"] == pytest.approx(scores[0])


def test_missing_inception_weights_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(folder))
    with pytest.raises(DgqcError, match=r"torch_fidelity|Inception's weights are not on this machine"):
        clip_judge(folder, None, inception=True)


@pytest.mark.parametrize(
    ("release", "paired"),
    [
        ("2.13.0+cpu", "'torchvision==0.28.*' --index-url https://download.pytorch.org/whl/cpu,"),
        ("2.9.1", "'torchvision==0.24.*', then"),
    ],
)
def test_the_command_for_distances_pairs_torchvision_with_torch(
    release: str, paired: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "__version__", release)
    monkeypatch.setattr(judging, "find_spec", lambda name: None if name == "torch_fidelity" else name)
    with pytest.raises(
        DgqcError, match="Frechet inception distances need the package torch_fidelity"
    ) as told:
        clip_judge(folder, None, inception=True)
    assert paired in str(told.value)


def test_a_missing_folder_of_real_pictures_is_named(folder: Path) -> None:
    with pytest.raises(DgqcError, match="is no folder; give one of real pictures"):
        clip_judge(folder, folder / "nowhere", inception=False)
