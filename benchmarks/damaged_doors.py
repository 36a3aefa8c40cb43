"""Kinds of files beside a model: adapters, weights that others quantized, pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy
import torch
from damaged_kinds import Kind, meaning
from diffusers import UNet2DModel
from PIL import Image
from safetensors.torch import save_file
from torch import nn

RANK = 2
FORMATS = ("png", "jpg", "webp", "bmp")


def doors(work: Path, unet: UNet2DModel) -> Mapping[str, Kind]:
    """A whole one of each. unet: saved as `work / "unet"` already."""
    folder = work / "doors"
    folder.mkdir()
    unet.save_config(folder)
    save_file(_low_rank(unet), folder / "lora.safetensors")
    torch.save(_low_rank(unet), folder / "lora.pt")
    found = {
        "lora": Kind(folder, "lora.safetensors", lambda path: _read_merged(work / "unet", path)),
        "pickled lora": Kind(folder, "lora.pt", lambda path: _read_merged(work / "unet", path)),
    }
    for name in FORMATS:
        place = work / name
        place.mkdir()
        Image.effect_noise((24, 16), 60).convert("RGB").save(place / f"a.{name}")
        found[name] = Kind(place, f"a.{name}", _read_picture)
    try:
        _write_gguf(unet, folder / "unet.gguf")
    except ImportError:
        return found
    return {**found, "gguf": Kind(folder, "unet.gguf", _read_weights)}


def _low_rank(unet: nn.Module) -> dict[str, torch.Tensor]:
    found = {}
    for name, layer in unet.named_modules():
        if isinstance(layer, nn.Linear) and "to_" in name:
            found[f"unet.{name}.lora_A.weight"] = 0.1 * torch.randn(RANK, layer.in_features)
            found[f"unet.{name}.lora_B.weight"] = 0.1 * torch.randn(layer.out_features, RANK)
    return found


def _write_gguf(unet: nn.Module, path: Path) -> None:
    import gguf

    writer: Any = gguf.GGUFWriter(path, "unet")
    for name, tensor in unet.state_dict().items():
        writer.add_tensor(name, tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _read_merged(unet: Path, path: Path) -> str:
    from dgqc.frontends.adapters.adapter import Adapter
    from dgqc.frontends.loading.load import load_model

    return meaning(dict(load_model(unet, adapters=[Adapter(path)]).model.state_dict()))


def _read_weights(path: Path) -> str:
    from dgqc.frontends.loading.load import load_model

    return meaning(dict(load_model(path).model.state_dict()))


def _read_picture(path: Path) -> str:
    from dgqc.frontends.calibrating.pictures import read_pictures

    (found,) = read_pictures(path.parent)
    return meaning(torch.from_numpy(numpy.asarray(found.fitted(16, 16)).copy()))
