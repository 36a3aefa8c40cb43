"""Weights, configs and checkpoints that are damaged, odd or something else: one sentence, no long wait."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

from dgqc.frontends import config_only, load_model
from dgqc.frontends.loading.model_inputs import model_inputs
from dgqc.frontends.loading.pickles import read_pickle
from dgqc.ir.errors import DgqcError

from .conftest import tiny_unet

WEIGHT = "conv_in.weight"


@pytest.fixture(scope="module")
def unet() -> UNet2DConditionModel:
    return tiny_unet()


def refused(path: Path, message: str, **options: Any) -> None:
    with pytest.raises(DgqcError, match=message) as caught:
        load_model(path, **options)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 900


ODD: dict[str, tuple[Callable[[torch.Tensor], Any], str]] = {
    "sparse": (lambda weight: weight.to_sparse(), "stored as sparse_coo"),
    "sparse-rows": (lambda weight: weight.reshape(8, -1).to_sparse_csr(), "stored as sparse_csr"),
    "meta": (lambda weight: weight.to("meta"), "on the meta device"),
    "quantized": (
        lambda weight: torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8),
        "of type qint8",
    ),
    "nested": (lambda weight: torch.nested.nested_tensor([weight, weight]), "stored as nested"),
    "complex": (lambda weight: weight.to(torch.complex64), "of type complex64"),
    "bool": (lambda weight: weight > 0, "of type bool"),
    "integer": (lambda weight: (weight * 100).to(torch.int8), "of type int8.*no scales"),
    "stride-0": (lambda weight: torch.zeros(1).expand(weight.shape), "a view of 288 elements"),
    "number": (lambda weight: 3.0, "is a float, not a weight"),
    "large": (lambda weight: torch.zeros(1).expand(86_000_000_000), "a view of 86000000000 elements"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ODD)
def test_weights_that_are_no_numbers_in_memory(unet: UNet2DConditionModel, tmp_path: Path, kind: str) -> None:
    make, message = ODD[kind]
    unet.save_config(tmp_path)
    torch.save({**unet.state_dict(), WEIGHT: make(unet.state_dict()[WEIGHT])}, tmp_path / "unet.pt")
    refused(tmp_path / "unet.pt", message)


def test_a_checkpoint_that_contains_itself(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    endless: dict[str, Any] = {"step": 3}
    endless["model"] = endless
    torch.save(endless, tmp_path / "unet.pt")
    refused(tmp_path / "unet.pt", r"unet\.pt")
    layer = tiny_unet()
    layer._modules["conv_in"] = layer
    torch.save(layer, tmp_path / "unet.pt")
    refused(tmp_path / "unet.pt", "has no state of a layer")


def test_weights_of_two_kinds(
    unet: UNet2DConditionModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unet.save_config(tmp_path)
    averaged = {name: value + 1 for name, value in unet.state_dict().items()}
    torch.save({"model": unet.state_dict(), "ema": averaged, "epoch": 3}, tmp_path / "unet.pt")
    with caplog.at_level(logging.WARNING, "dgqc"):
        taken = load_model(tmp_path / "unet.pt").model.state_dict()
    assert "weights called model, ema; model is taken, choose another with --weights-key" in caplog.text
    torch.testing.assert_close(taken[WEIGHT], unet.state_dict()[WEIGHT])
    caplog.clear()
    taken = load_model(tmp_path / "unet.pt", weights_key="ema").model.state_dict()
    torch.testing.assert_close(taken[WEIGHT], averaged[WEIGHT])
    assert not caplog.text
    refused(tmp_path / "unet.pt", "holds nothing called best", weights_key="best")
    torch.save({"generator": averaged, "optimizer": {"a": 1}}, tmp_path / "unet.pt")
    refused(tmp_path / "unet.pt", "holds generator, optimizer; say with --weights-key")
    taken = load_model(tmp_path / "unet.pt", weights_key="generator").model.state_dict()
    torch.testing.assert_close(taken[WEIGHT], averaged[WEIGHT])


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: layer.__dict__.update(_modules=3),
        lambda layer: layer.__dict__.update(_parameters=[1]),
        lambda layer: layer._modules.update(conv_in=7),
        lambda layer: layer._parameters.update(more="text"),
        lambda layer: layer.__dict__.update(_internal_dict=[1]),
        lambda layer: layer.__dict__.pop("_modules"),
    ],
)
def test_layers_in_an_odd_state(tmp_path: Path, change: Callable[[Any], None]) -> None:
    unet = tiny_unet()
    change(unet)
    torch.save(unet, tmp_path / "unet.pt")
    refused(tmp_path / "unet.pt", r"unet\.pt")


def test_hooks_of_a_file_are_not_called(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    layer = tiny_unet()
    # Anything that the unpickler allows and that can be called.
    layer.__dict__["_state_dict_hooks"] = {0: torch._utils._rebuild_tensor_v2}
    torch.save(layer, tmp_path / "unet.pt")
    loaded = load_model(tmp_path / "unet.pt").model.state_dict()
    torch.testing.assert_close(loaded[WEIGHT], layer.conv_in.weight.detach())


@pytest.mark.parametrize("legacy", [False, True])
def test_flips_and_cuts(unet: UNet2DConditionModel, tmp_path: Path, legacy: bool) -> None:
    unet.save_config(tmp_path)
    file = tmp_path / "unet.pt"
    torch.save(unet.state_dict(), file, _use_new_zipfile_serialization=not legacy)
    whole = file.read_bytes()
    for kept in range(0, len(whole), len(whole) // 40):
        file.write_bytes(whole[:kept])
        refused(file, r"unet\.pt")
    if not legacy:
        for place in range(len(whole) // 3, len(whole) * 2 // 3, len(whole) // 20):
            flipped = bytearray(whole)
            flipped[place] ^= 4
            file.write_bytes(flipped)
            refused(file, r"checksum|File name in directory|Bad")


def test_what_lies_under_a_models_name(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    unet.save_config(tmp_path)
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    page = b"\n<!DOCTYPE html>\n<html><body>404</body></html>"
    for name in ("unet.pt", "unet.safetensors", "unet.pt2", "diffusion_pytorch_model.bin"):
        for data, message in ((pointer, "a Git LFS pointer .*git lfs pull"), (page, "a web page")):
            (tmp_path / name).write_bytes(data)
            refused(tmp_path / name, message)
    refused(tmp_path, "a web page")
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "unet.pt")
    refused(tmp_path / "unet.pt", "a TorchScript program")
    (tmp_path / "config.json").write_bytes(page)
    refused(tmp_path, r"config\.json is a web page")


def test_adapters_that_are_not_fused(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    unet.save_config(tmp_path)
    name = "mid_block.attentions.0.to_q"
    weights = {f"{name}.base_layer.weight": torch.ones(2), f"{name}.lora_A.default.weight": torch.ones(2)}
    save_file({**unet.state_dict(), **weights}, tmp_path / "unet.safetensors")
    refused(tmp_path / "unet.safetensors", "holds an adapter .*fuse")


def test_shards_that_are_pickled(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    unet.save_pretrained(tmp_path, max_shard_size="20KB", safe_serialization=False)
    assert (tmp_path / "diffusion_pytorch_model.bin.index.json").is_file()
    loaded = load_model(tmp_path).model.state_dict()
    torch.testing.assert_close(loaded[WEIGHT], unet.state_dict()[WEIGHT])
    (tmp_path / "diffusion_pytorch_model.bin.index.json").write_text('{"weight_map": [1]}')
    refused(tmp_path, "weight_map: Input should be a valid dictionary")


CONFIGS: dict[str, dict[str, Any]] = {
    "describes a model whose _class_name is ": {"_class_name": ["UNet2DModel"]},
    "layers_per_block": {"layers_per_block": 1_000_000},
    "transformer_layers_per_block": {"transformer_layers_per_block": 1_000_000},
    "describes 8000 layers": {"layers_per_block": 1999, "transformer_layers_per_block": 1},
    "block_out_channels": {"block_out_channels": [8] * 100},
    "block_out_channels.0": {"block_out_channels": ["8"]},
    "in_channels": {"in_channels": 10**30},
    "norm_num_groups: is 1000000000000, which is out of range": {"norm_num_groups": 10**12},
    "more than any has": {"block_out_channels": [2**20]},
    "can't build": {"down_block_types": [None]},
}


@pytest.mark.parametrize("message", CONFIGS)
def test_configs_that_no_model_has(unet: UNet2DConditionModel, tmp_path: Path, message: str) -> None:
    unet.save_config(tmp_path)
    config = {**json.loads((tmp_path / "config.json").read_text()), **CONFIGS[message]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(DgqcError, match=message) as caught:
        config_only(tmp_path)
    assert len(str(caught.value)) < 900


def test_a_key_that_diffusers_does_not_know_is_said(
    unet: UNet2DConditionModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unet.save_pretrained(tmp_path)
    with caplog.at_level(logging.WARNING, "dgqc"):
        load_model(tmp_path)
        assert not caplog.text
        config = json.loads((tmp_path / "config.json").read_text())
        (tmp_path / "config.json").write_text(json.dumps({**config, "norm_esp": 1e-3}))
        load_model(tmp_path)
    assert caplog.text.count("config.json has norm_esp, which diffusers doesn't know and leaves out") == 1


def test_unknown_kinds_of_layers_are_named(tmp_path: Path) -> None:
    with pytest.raises(DgqcError, match="attention_type='other', a conditioning"):
        model_inputs(tiny_unet(attention_type="other"), None, 3)


def test_a_pickled_module_is_no_module(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    torch.save(unet, tmp_path / "unet.pt")
    assert not isinstance(read_pickle(tmp_path / "unet.pt"), torch.nn.Module)
