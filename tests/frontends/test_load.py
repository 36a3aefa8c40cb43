"""Models come in whole, or are refused in one sentence, and no file runs code."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from torch import nn

from dgqc.frontends import config_only, load_model
from dgqc.frontends.loading.pipelines import PipelineFolder
from dgqc.ir.errors import DgqcError

from .conftest import Hostile, tiny_unet


@pytest.fixture(scope="module")
def unet() -> UNet2DConditionModel:
    return tiny_unet()


def assert_same_weights(model: nn.Module, unet: nn.Module) -> None:
    expected = unet.state_dict()
    found = model.state_dict()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == torch.float32
        torch.testing.assert_close(found[name], value, rtol=0, atol=0)
    assert not model.training


def write_config(unet: UNet2DConditionModel, folder: Path) -> None:
    unet.save_config(folder)


def test_unet_folder(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    unet.save_pretrained(tmp_path)
    loaded = load_model(tmp_path)
    assert_same_weights(loaded.model, unet)
    assert loaded.pipeline is None
    assert loaded.config["cross_attention_dim"] == 16


def test_sharded_folder(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    unet.save_pretrained(tmp_path, max_shard_size="20KB")
    assert (tmp_path / "diffusion_pytorch_model.safetensors.index.json").is_file()
    assert_same_weights(load_model(tmp_path).model, unet)
    next(iter(tmp_path.glob("*-00002-*"))).unlink()
    with pytest.raises(DgqcError, match="copy all parts"):
        load_model(tmp_path)


def test_half_precision_is_loaded_as_float(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    write_config(unet, tmp_path)
    halves = {name: value.half() for name, value in unet.state_dict().items()}
    save_file(halves, tmp_path / "diffusion_pytorch_model.fp16.safetensors")
    loaded = load_model(tmp_path / "diffusion_pytorch_model.fp16.safetensors")
    name = "conv_in.weight"
    torch.testing.assert_close(loaded.model.state_dict()[name], halves[name].float(), rtol=0, atol=0)


def test_pipeline_folder(pipeline_folder: Path) -> None:
    loaded = load_model(pipeline_folder)
    assert loaded.pipeline == PipelineFolder(pipeline_folder)
    assert loaded.scheduler is not None
    assert loaded.scheduler["_class_name"] == "DDIMScheduler"
    assert loaded.context_length == 6
    assert isinstance(loaded.model, UNet2DConditionModel)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda unet: unet,
        lambda unet: {"unet": unet, "step": 3},
        lambda unet: {"unet": unet.state_dict(), "config": dict(unet.config)},
        lambda unet: {"state_dict": {f"module.{k}": v for k, v in unet.state_dict().items()}},
        lambda unet: unet.state_dict(),
    ],
    ids=["module", "checkpoint", "checkpoint-config", "prefixed", "state-dict"],
)
def test_pickles(wrap: Callable[[Any], Any], unet: UNet2DConditionModel, tmp_path: Path) -> None:
    write_config(unet, tmp_path)
    torch.save(wrap(unet), tmp_path / "unet.pt")
    loaded = load_model(tmp_path / "unet.pt")
    assert type(loaded.model) is UNet2DConditionModel
    assert_same_weights(loaded.model, unet)


def test_old_attention_names(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    write_config(unet, tmp_path)
    old = {
        k.replace(".to_q.", ".query.").replace(".to_out.0.", ".proj_attn."): v
        for k, v in unet.state_dict().items()
    }
    assert old.keys() != unet.state_dict().keys()
    save_file(old, tmp_path / "unet.safetensors")
    assert_same_weights(load_model(tmp_path / "unet.safetensors").model, unet)


@pytest.mark.parametrize("legacy", [False, True])
def test_hostile_pickle_is_refused_and_not_run(
    unet: UNet2DConditionModel, tmp_path: Path, legacy: bool
) -> None:
    proof, file = tmp_path / "proof", tmp_path / "unet.pt"
    torch.save({"unet": unet, "more": Hostile(proof)}, file, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(DgqcError, match=r"posix\.system|diffusers\.") as caught:
        load_model(file)
    assert not proof.exists()
    assert "\n" not in str(caught.value)
    # The file does what it threatens, so that the test is one.
    torch.load(file, weights_only=False)
    assert proof.exists()


@pytest.mark.parametrize(
    "name", ["builtins.eval", "torch.hub.load", "diffusers.utils.import_utils.os.system", "__main__.Own"]
)
def test_other_imports_are_refused(tmp_path: Path, name: str) -> None:
    module, _, attribute = name.rpartition(".")
    payload = pickle.PROTO + b"\x02" + pickle.GLOBAL + f"{module}\n{attribute}\n".encode() + pickle.STOP
    torch.save({}, tmp_path / "unet.pt")
    source, target = tmp_path / "unet.pt", tmp_path / "other.pt"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.namelist():
            new.writestr(member, payload if member.endswith("data.pkl") else old.read(member))
    with pytest.raises(DgqcError, match=f"wants to import {name}"):
        load_model(target)


def test_truncated_files(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    write_config(unet, tmp_path)
    torch.save(unet, tmp_path / "unet.pt")
    save_file(unet.state_dict(), tmp_path / "unet.safetensors")
    for name in ("unet.pt", "unet.safetensors"):
        file = tmp_path / name
        whole = file.read_bytes()
        for kept in (0, 10, len(whole) // 2, len(whole) - 100):
            file.write_bytes(whole[:kept])
            with pytest.raises(DgqcError, match=name):
                load_model(file)


def test_bad_weights(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    write_config(unet, tmp_path)
    good = unet.state_dict()
    name = "mid_block.resnets.0.conv1.weight"

    def load(changed: dict[str, torch.Tensor]) -> None:
        save_file(changed, tmp_path / "unet.safetensors")
        load_model(tmp_path / "unet.safetensors")

    broken = good[name].clone()
    broken[0, 0, 0, 0] = float("nan")
    with pytest.raises(DgqcError, match=f"{name} holds NaN"):
        load({**good, name: broken})
    with pytest.raises(DgqcError, match=r"conv_out\.bias holds NaN or infinite"):
        load({**good, "conv_out.bias": torch.full((4,), float("inf"))})
    with pytest.raises(DgqcError, match=rf"{name} has shape \(8, 9, 3, 3\).*\(8, 8, 3, 3\)"):
        load({**good, name: torch.zeros(8, 9, 3, 3)})
    with pytest.raises(DgqcError, match=f"lacks {name}"):
        load({key: value for key, value in good.items() if key != name})
    with pytest.raises(DgqcError, match=r"no place for more\.bias"):
        load({**good, "more.bias": torch.zeros(1)})


def test_bad_configs(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    save_file(unet.state_dict(), tmp_path / "unet.safetensors")
    with pytest.raises(DgqcError, match=r"no config\.json beside it"):
        load_model(tmp_path / "unet.safetensors")
    for text, message in [
        ("{", "not valid JSON"),
        ("[]", "holds a JSON list"),
        ("{}", "model without a _class_name"),
        ('{"_class_name": "FluxTransformer2DModel"}', "describes a FluxTransformer2DModel"),
        ('{"_class_name": "AutoencoderKL"}', "describes an AutoencoderKL"),
        ('{"architectures": ["CLIPTextModel"]}', "CLIPTextModel, which .*: give the pipeline's folder"),
        ('{"architectures": [["CLIPTextModel"]]}', "model without a _class_name"),
        (
            '{"_class_name": "UNet2DConditionModel", "block_out_channels": [5]}',
            "can't build a UNet2DConditionModel",
        ),
    ]:
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(DgqcError, match=message):
            load_model(tmp_path / "unet.safetensors")


def test_wrong_paths(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"x")
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "config.json").write_text("{}")
    for path, message in [
        (tmp_path / "nothing", "does not exist"),
        (tmp_path, "holds a model of ONNX"),
        (tmp_path / "model.onnx", "not a model dgqc can read"),
        (tmp_path / "part" / "config.json", "holds no weights; give its folder"),
    ]:
        with pytest.raises(DgqcError, match=message):
            load_model(path)
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(DgqcError, match="no unet folder"):
        load_model(tmp_path)
    with pytest.raises(DgqcError, match=f"lists the parts of a pipeline; give its folder, {tmp_path}"):
        load_model(tmp_path / "model_index.json")


def test_what_may_be_meant(tmp_path: Path) -> None:
    """What is typed first: a repository's name, an address, the folder around a model."""
    with pytest.raises(
        DgqcError, match=r"downloads nothing; .*`hf download someone/model-1\.5` prints the folder"
    ):
        load_model("someone/model-1.5")
    with pytest.raises(DgqcError, match="downloads nothing; download the file"):
        load_model("https://example.org/model.safetensors")
    with pytest.raises(DgqcError, match=r"someone/model\.safetensors does not exist; give a diffusers"):
        load_model("someone/model.safetensors")
    around, snapshot = tmp_path / "models--someone--model", "snapshots/0a1b"
    (around / snapshot).mkdir(parents=True)
    (around / snapshot / "model_index.json").write_text("{}")
    with pytest.raises(DgqcError, match=rf"perhaps {around / snapshot} is meant\.$"):
        load_model(around)
    (tmp_path / "v1-5.ckpt").write_bytes(b"")
    with pytest.raises(DgqcError, match=r"perhaps \S+v1-5\.ckpt is meant\.$"):
        load_model(tmp_path)


def test_config_only(unet: UNet2DConditionModel, tmp_path: Path, pipeline_folder: Path) -> None:
    write_config(unet, tmp_path)
    for path in (tmp_path, tmp_path / "config.json", pipeline_folder):
        loaded = config_only(path)
        assert all(parameter.is_meta for parameter in loaded.model.parameters())
        assert sum(p.numel() for p in loaded.model.parameters()) == sum(p.numel() for p in unet.parameters())
    assert config_only(pipeline_folder).context_length == 6


def test_messages_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps({"_class_name": "UNet2DModel", "block_out_channels": "x"})
    )
    with pytest.raises(DgqcError) as caught:
        load_model(tmp_path)
    assert "\n" not in str(caught.value)
