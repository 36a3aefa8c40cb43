"""Folders as they are published: variants, halves, parts in several files, averaged weights beside."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from dgqc.frontends import calibrate, config_only, load_model
from dgqc.frontends.adapters.adapter import Adapter
from dgqc.frontends.loading.weight_files import variant_of
from dgqc.ir.errors import DgqcError

from .adapter_forms import changed, kohya
from .conftest import tiny_unet

STEM = "diffusion_pytorch_model"


def weights(factor: float) -> dict[str, torch.Tensor]:
    return {name: factor * tensor for name, tensor in tiny_unet().state_dict().items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A UNet's folder without weights."""
    tiny_unet().save_pretrained(tmp_path / "unet")
    (tmp_path / "unet" / f"{STEM}.safetensors").unlink()
    return tmp_path / "unet"


def loaded(folder: Path, variant: str | None = None) -> Mapping[str, torch.Tensor]:
    found: Mapping[str, torch.Tensor] = load_model(folder, variant=variant).model.state_dict()
    return found


def factor(found: Mapping[str, torch.Tensor]) -> float:
    """Which of the weights these are."""
    return float((found["conv_in.weight"] / weights(1.0)["conv_in.weight"]).mean())


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        (f"{STEM}.safetensors", ""),
        (f"{STEM}.bin", ""),
        (f"{STEM}.fp16.safetensors", "fp16"),
        (f"{STEM}.non_ema.bin", "non_ema"),
        (f"{STEM}.fp16-00001-of-00002.safetensors", "fp16"),
        (f"{STEM}-00001-of-00002.fp16.safetensors", "fp16"),
        (f"{STEM}.safetensors.index.fp16.json", "fp16"),
        (f"{STEM}.safetensors.index.json", ""),
        (f"{STEM}.bin.index.json", ""),
        ("pytorch_model.bin", ""),
        ("config.json", None),
        ("model.onnx", None),
        ("model.onnx_data", None),
        ("openvino_model.bin", None),
    ],
)
def test_variants_of_names(name: str, variant: str | None) -> None:
    assert variant_of(name) == variant


def test_a_variant_is_chosen_or_found(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    save_file({name: one.half() for name, one in weights(2.0).items()}, folder / f"{STEM}.fp16.safetensors")
    torch.save(weights(3.0), folder / f"{STEM}.non_ema.bin")
    with caplog.at_level(logging.INFO, "dgqc"):
        assert factor(loaded(folder)) == pytest.approx(2, abs=1e-2)
    assert f"{STEM}.fp16.safetensors is taken" in caplog.text
    assert all(tensor.dtype is torch.float32 for tensor in loaded(folder).values())
    save_file(weights(1.0), folder / f"{STEM}.safetensors")
    assert factor(loaded(folder)) == pytest.approx(1)
    assert factor(loaded(folder, "fp16")) == pytest.approx(2, abs=1e-2)
    assert factor(loaded(folder, "non_ema")) == pytest.approx(3)


@pytest.mark.parametrize("ending", ["safetensors", "bin"])
@pytest.mark.parametrize("variant", [None, "bf16"])
def test_several_files(ending: str, variant: str | None, folder: Path) -> None:
    halves = {name: one.bfloat16() for name, one in weights(2.0).items()}
    names = sorted(halves)
    middle = f".{variant}" if variant else ""
    places = {}
    for number, chosen in enumerate((names[::2], names[1::2]), 1):
        file = f"{STEM}{middle}-{number:05}-of-00002.{ending}"
        part = {name: halves[name] for name in chosen}
        save_file(part, folder / file) if ending == "safetensors" else torch.save(part, folder / file)
        places |= dict.fromkeys(chosen, file)
    index = folder / f"{STEM}.{ending}.index{middle}.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    assert factor(loaded(folder, variant)) == pytest.approx(2, abs=1e-1)
    index.unlink()
    with pytest.raises(DgqcError, match="holds parts of its weights, but not the index"):
        load_model(folder, variant=variant)


def test_what_is_missing_is_said_before_anything_is_read(folder: Path) -> None:
    """`dgqc check` and `report` read no weights, but look whether all of them are there."""
    tiny_unet().save_pretrained(folder, max_shard_size="20KB")
    config_only(folder)
    sorted(folder.glob("*-of-*"))[1].unlink()
    with pytest.raises(DgqcError, match=r"names .*-00002-of-.*, which is not beside it"):
        config_only(folder)


@pytest.mark.parametrize("name", ["diffusion_flax_model.msgpack", "model.onnx", "openvino_model.xml"])
def test_models_of_other_libraries(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"")
    for load in (load_model, config_only):
        with pytest.raises(DgqcError, match=rf"holds a model of \w+ \({name}\)"):
            load(folder)
    (folder / "config.json").unlink()
    with pytest.raises(DgqcError, match="holds a model of"):
        load_model(folder)


def test_refusals(folder: Path) -> None:
    with pytest.raises(DgqcError, match="a config but no weights"):
        load_model(folder)
    save_file(weights(1.0), folder / f"{STEM}.ema.safetensors")
    assert factor(loaded(folder)) == pytest.approx(1)
    save_file(weights(2.0), folder / f"{STEM}.non_ema.safetensors")
    with pytest.raises(DgqcError, match="has weights as ema, non_ema; choose one with --variant"):
        load_model(folder)
    with pytest.raises(DgqcError, match=r"no variant fp16 \(it has ema, non_ema\)"):
        load_model(folder, variant="fp16")
    with pytest.raises(DgqcError, match="is one file, and --variant chooses among those of a folder"):
        load_model(folder / f"{STEM}.ema.safetensors", variant="ema")


@pytest.fixture
def pipeline(pipeline_folder: Path, tmp_path: Path) -> Path:
    """A pipeline whose UNet's weights are halves alone."""
    place = Path(shutil.copytree(pipeline_folder, tmp_path / "pipeline"))
    (place / "unet" / f"{STEM}.safetensors").unlink()
    halves = {name: one.half() for name, one in weights(1.0).items()}
    save_file(halves, place / "unet" / f"{STEM}.fp16.safetensors")
    return place


def test_averaged_weights_in_a_folder_beside(pipeline: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.copytree(pipeline / "unet", pipeline / "unet_ema")
    (pipeline / "unet_ema" / f"{STEM}.fp16.safetensors").unlink()
    save_file(weights(2.0), pipeline / "unet_ema" / f"{STEM}.safetensors")
    with caplog.at_level(logging.WARNING, "dgqc"):
        assert factor(loaded(pipeline)) == pytest.approx(1, abs=1e-2)
    assert "has averaged weights too; take them with --variant ema" in caplog.text
    assert factor(loaded(pipeline, "ema")) == pytest.approx(2)
    # No other part has such a variant, and the pipeline's others are read as they are.
    found = load_model(pipeline, variant="ema")
    assert found.pipeline is not None
    assert found.pipeline.load({"unet": found.model}).text_encoder is not None


def test_calibrating_takes_what_compiling_takes(pipeline: Path, tmp_path: Path) -> None:
    save_file(kohya(tiny_unet()), tmp_path / "lora.safetensors")
    adapters = (Adapter(tmp_path / "lora.safetensors"),)
    calls: list[Any] = []
    for number, given in enumerate(((), adapters)):
        place = tmp_path / f"{number}.safetensors"
        calibration = calibrate(pipeline, ["a red square"], 2, place, variant="fp16", adapters=given)
        calls.append(next(calibration.read(1))["sample"])
    assert not torch.equal(*calls)
    unet = load_model(pipeline, variant="fp16", adapters=adapters).model
    expected = changed(tiny_unet().half().float(), 2.0)["conv_in.weight"]
    assert torch.equal(unet.state_dict()["conv_in.weight"], expected)
    with pytest.raises(DgqcError, match=r"has no model_index.json; give the folder of a diffusers pipeline"):
        calibrate(pipeline / "unet", ["a red square"], 2, tmp_path / "no.safetensors")
