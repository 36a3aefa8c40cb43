"""How models come in: folders, weights with a config, pickles, exported programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from ...ir.errors import DgqcError
from ...ir.storage.json_text import read_json_object
from .exported_archive import read_exported_program
from .exported_unet import ExportedUNet
from .pickles import read_pickle
from .weights import build_unet, empty_unet

WEIGHT_FILES = (
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.fp16.safetensors",
    "model.safetensors",
    "diffusion_pytorch_model.bin",
)
"""What diffusers calls weights, the preferred first."""

WRAPPING_KEYS = ("unet", "state_dict", "model_state_dict", "model", "ema")
"""Under which keys training scripts store a UNet in a checkpoint."""

FORMATS = (
    "give a diffusers UNet folder, a pipeline folder, a .safetensors with its config.json beside it, a .pt "
    "or .pth of a diffusers UNet, or a torch.export .pt2"
)


@dataclass(frozen=True)
class LoadedModel:
    """A model as it came in.

    model: a diffusers UNet in evaluation mode with float32 weights, or an ExportedUNet.
    config: the UNet's own configuration; empty for an exported program.
    pipeline: the pipeline folder it came from, if any.
    scheduler: that pipeline's scheduler configuration, if any.
    source: what the messages and the report call it.
    context_length: tokens per prompt of that pipeline, if known.
    """

    model: nn.Module
    config: Mapping[str, Any]
    pipeline: Path | None
    scheduler: Mapping[str, Any] | None
    source: str
    context_length: int | None = None


def load_model(path: str | Path) -> LoadedModel:
    """Loads a UNet. No code from the file is run.

    path: a diffusers UNet's or pipeline's folder, a `.safetensors` with `config.json` beside it, a `.pt` or
        `.pth` (a UNet saved with torch.save, a state dict with a config beside it, or a checkpoint holding
        either), or a `.pt2` from torch.export.
    Raises DgqcError, naming the file and the first wrong weight or import, for anything that is not a UNet
    whose weights and config fit.
    """
    found = Path(path)
    if found.is_dir():
        return _from_folder(found)
    if not found.is_file():
        raise DgqcError(f"{found} does not exist; {FORMATS}.")
    if found.suffix == ".safetensors":
        config = _config_beside(found)
        return LoadedModel(
            build_unet(config, _read_safetensors(found), str(found)), config, None, None, str(found)
        )
    if found.suffix in (".pt", ".pth"):
        return _from_pickle(found)
    if found.suffix == ".pt2":
        return LoadedModel(ExportedUNet(read_exported_program(found)), {}, None, None, str(found))
    raise DgqcError(f"{found} is not a model dgqc can read; {FORMATS}.")


def config_only(path: str | Path) -> LoadedModel:
    """Builds a UNet on the meta device, for reports that need shapes only.

    path: a `config.json`, or a UNet's or pipeline's folder with one.
    """
    found = Path(path)
    if found.is_dir():
        pipeline = found if (found / "model_index.json").is_file() else None
        file = (_unet_folder(found) if pipeline else found) / "config.json"
    else:
        pipeline, file = None, found
    if not file.is_file():
        raise DgqcError(f"{file} does not exist; give a UNet's config.json or its folder.")
    config: Mapping[str, Any] = read_json_object(file)
    scheduler, length = _pipeline_facts(pipeline)
    return LoadedModel(empty_unet(config, str(file)), config, pipeline, scheduler, str(file), length)


def _from_folder(folder: Path) -> LoadedModel:
    pipeline = folder if (folder / "model_index.json").is_file() else None
    unet = _unet_folder(folder) if pipeline else folder
    if not (unet / "config.json").is_file():
        raise DgqcError(f"{unet} has no config.json; {FORMATS}.")
    config = read_json_object(unet / "config.json")
    empty_unet(config, str(unet / "config.json"))  # says what is wrong before gigabytes are read
    file = next((unet / name for name in WEIGHT_FILES if (unet / name).is_file()), None)
    if file is None:
        raise DgqcError(
            f"{unet} holds a config but no weights ({', '.join(WEIGHT_FILES)}); save it with "
            "unet.save_pretrained."
        )
    if file.name.endswith(".index.json"):
        weights = _read_shards(file)
    elif file.suffix == ".safetensors":
        weights = _read_safetensors(file)
    else:
        weights = dict(_as_mapping(read_pickle(file), file))
    scheduler, length = _pipeline_facts(pipeline)
    return LoadedModel(
        build_unet(config, weights, str(file)), config, pipeline, scheduler, str(folder), length
    )


def _from_pickle(path: Path) -> LoadedModel:
    found = read_pickle(path)
    config: Any = None
    while isinstance(found, dict):
        config = found.get("config", config)
        key = next((key for key in WRAPPING_KEYS if isinstance(found.get(key), dict | nn.Module)), None)
        if key is None:
            break
        found = found[key]
    if isinstance(found, nn.Module):
        config = {**getattr(found, "_internal_dict", {}), "_class_name": type(found).__name__}
        weights: Mapping[str, Any] = found.state_dict()
    else:
        weights = _as_mapping(found, path)
        config = config if isinstance(config, dict) else _config_beside(path)
    return LoadedModel(build_unet(config, weights, str(path)), config, None, None, str(path))


def _as_mapping(found: Any, path: Path) -> Mapping[str, Any]:
    if not isinstance(found, dict) or not found:
        raise DgqcError(
            f"{path} holds a {type(found).__name__}, but a UNet or a state dict is needed; {FORMATS}."
        )
    return found


def _config_beside(path: Path) -> dict[str, Any]:
    for candidate in (path.with_suffix(".json"), path.with_name("config.json")):
        if candidate.is_file():
            return read_json_object(candidate)
    raise DgqcError(
        f"{path} holds weights only, and there is no config.json beside it; put the UNet's config.json into "
        f"{path.parent}."
    )


def _unet_folder(pipeline: Path) -> Path:
    if not (pipeline / "unet").is_dir():
        raise DgqcError(f"The pipeline {pipeline} has no unet folder; dgqc compiles pipelines around a UNet.")
    return pipeline / "unet"


def _pipeline_facts(pipeline: Path | None) -> tuple[dict[str, Any] | None, int | None]:
    """The scheduler's configuration and the tokens per prompt."""
    if pipeline is None:
        return None, None
    scheduler = pipeline / "scheduler" / "scheduler_config.json"
    encoder = pipeline / "text_encoder" / "config.json"
    length = read_json_object(encoder).get("max_position_embeddings") if encoder.is_file() else None
    config = read_json_object(scheduler) if scheduler.is_file() else None
    return config, length if isinstance(length, int) else None


def _read_safetensors(path: Path) -> dict[str, Any]:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except (SafetensorError, OSError) as error:
        raise DgqcError(f"{path} is not a complete safetensors file ({error}); copy it again.") from error


def _read_shards(index: Path) -> dict[str, Any]:
    files = read_json_object(index).get("weight_map", {})
    weights: dict[str, Any] = {}
    for name in sorted({str(file) for file in files.values()}):
        shard = index.parent / name
        if shard.parent != index.parent or not shard.is_file():
            raise DgqcError(f"{index} names {name}, which is not beside it; copy all parts of the model.")
        weights.update(_read_safetensors(shard))
    return weights
