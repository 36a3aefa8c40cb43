"""How models come in: folders, weights with a config, pickles, exported programs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from ...ir.errors import DgqcError
from ...ir.reading import reading
from ...ir.storage.json_text import read_json_object
from ..adapters.adapter import Adapter
from ..adapters.adapter_file import AdapterFile, read_adapter
from ..adapters.merge import merge_adapters
from ..adapters.picture_adapters import NONE as NO_PICTURES
from ..adapters.picture_adapters import PictureAdapters, show_pictures
from .checkpoints import unwrapped
from .conditionings import CONTROLS, of_calls
from .exported_archive import read_exported_program
from .exported_unet import ExportedUNet
from .file_kinds import absent, hint_inside, refuse_converted, refuse_other_kinds
from .foreign_weights import foreign_kind
from .gguf_files import SUFFIX as GGUF
from .gguf_files import read_gguf
from .interface import check_interface
from .original_facts import Said
from .original_layout import Original, from_original, is_original
from .original_pipeline import OriginalPipeline
from .pickles import read_pickle
from .picture_encoders import PictureEncoder
from .pipeline_facts import PipelineFacts, pipeline_facts
from .pipelines import PipelineFolder, StoredPipeline, built_scheduler, quietly
from .weight_files import read_safetensors, refuse_incomplete, safetensors_metadata, weights_in
from .weights import build_unet, empty_unet, tell_ignored

log = logging.getLogger("dgqc")

EMA = "ema"
"""What averaged weights are called."""
NEVER = ("ControlNet", "picture encoder")
"""Parts of a checkpoint in one file that no pipeline of it has."""
PICKLED = (".pt", ".pth", ".bin", ".ckpt")
FORMATS = (
    "give a diffusers UNet folder, a pipeline folder, a Stable Diffusion checkpoint in one file, a .gguf, a "
    ".safetensors with its config.json beside it, a .pt or .pth of a diffusers UNet, or a torch.export .pt2"
)


@dataclass(frozen=True)
class LoadedModel:
    """A model as it came in.

    model: a diffusers UNet in evaluation mode with float32 weights, or an ExportedUNet.
    config: the UNet's own configuration; empty for an exported program.
    pipeline: that it came from, if any.
    scheduler: that pipeline's scheduler configuration, if any, as it is once the pipeline is built.
    source: what the messages and the report call it.
    context_length: tokens per prompt of that pipeline, if known.
    """

    model: nn.Module
    config: Mapping[str, Any]
    pipeline: StoredPipeline | None
    scheduler: Mapping[str, Any] | None
    source: str
    context_length: int | None = None


def load_model(
    path: str | Path,
    weights_key: str | None = None,
    variant: str | None = None,
    adapters: Sequence[Adapter] = (),
    tokenizer: Path | None = None,
    shown: PictureAdapters = NO_PICTURES,
) -> LoadedModel:
    """Loads a UNet. No code from the file is run.

    path: a diffusers UNet's or pipeline's folder, a `.safetensors` with `config.json` beside it, a `.pt` or
        `.pth` (a UNet saved with torch.save, a state dict with a config beside it, or a checkpoint holding
        either), or a `.pt2` from torch.export.
    weights_key: what a checkpoint calls the weights that are meant; None takes a usual name.
    variant: of a folder's weights, such as fp16 or ema; None takes the plain ones, or what there is.
    adapters: files of LoRA and its like, merged into the weights; those of text encoders when the pipeline is
        loaded.
    tokenizer: a folder with what a checkpoint in one file lacks to be a pipeline; None takes the UNet alone.
    shown: IP-Adapters, whose layers the UNet gets.
    Raises DgqcError, naming the file and the first wrong weight or import, for anything that is not a UNet
    whose weights and config fit.
    """
    found, files = Path(path), [read_adapter(one) for one in adapters]
    with reading(str(found), FORMATS):
        loaded = _load(found, weights_key, variant, tokenizer)
    if adapters:
        loaded = _merged(loaded, found, adapters, files)
    return _shown(loaded, shown) if shown.files else loaded


def _shown(loaded: LoadedModel, shown: PictureAdapters) -> LoadedModel:
    """The model with IP-Adapters, and its pipeline with what reads pictures for them."""
    with quietly():
        show_pictures(loaded.model, shown.files, loaded.source)
    if loaded.pipeline is None:
        return loaded
    encoder = PictureEncoder(shown.encoder, tuple(one.path for one in shown.files))
    pipeline: Any = replace(loaded.pipeline, encoder=encoder)
    return replace(loaded, pipeline=pipeline)


def _merged(
    loaded: LoadedModel, found: Path, adapters: Sequence[Adapter], files: Sequence[AdapterFile]
) -> LoadedModel:
    """The model with adapters merged into it; its pipeline merges them into its text encoders."""
    if isinstance(loaded.model, ExportedUNet):
        raise DgqcError(
            f"{found} is an exported program, whose layers have no names that adapters know; merge them "
            "before it is exported."
        )
    left = merge_adapters({"unet": loaded.model}, files)
    if left and loaded.pipeline is None:
        log.warning(
            "%d changes of text encoders are left out, for %s has none; whoever encodes prompts loads them.",
            left,
            found,
        )
    if loaded.pipeline is None:
        return loaded
    pipeline: Any = replace(loaded.pipeline, adapters=tuple(adapters))
    return replace(loaded, pipeline=pipeline)


def _load(found: Path, weights_key: str | None, variant: str | None, tokenizer: Path | None) -> LoadedModel:
    if variant is not None and found.exists() and not found.is_dir():
        raise DgqcError(f"{found} is one file, and --variant chooses among those of a folder; leave it out.")
    if weights_key is not None and found.suffix not in (*PICKLED, ".safetensors", GGUF):
        raise DgqcError(f"{found} is no checkpoint, for which alone there is --weights-key; leave it out.")
    if found.is_dir():
        if tokenizer is not None:
            raise DgqcError(
                f"{found} is a folder, and pipelines there have tokenizers; leave out --tokenizer."
            )
        return _from_folder(found, variant)
    if not found.is_file():
        raise absent(found, FORMATS)
    refuse_other_kinds(found)
    if found.suffix in (".safetensors", GGUF):
        tensors = read_gguf(found) if found.suffix == GGUF else read_safetensors(found)
        if is_original(tensors):
            said = Said(safetensors_metadata(found) if found.suffix != GGUF else {})
            return _from_original(tensors, found, weights_key, said, tokenizer)
        if weights_key is not None:
            raise DgqcError(f"{found} holds one set of weights; leave out --weights-key.")
        config = _config_beside(found, tensors)
        return LoadedModel(build_unet(config, tensors, str(found)), config, None, None, str(found))
    if found.suffix in PICKLED:
        pickled = read_pickle(found)
        inside = pickled.get("state_dict", pickled) if isinstance(pickled, dict) else {}
        if isinstance(inside, dict) and is_original(inside):
            said = Said({}, pickled.get("global_step"))
            return _from_original(inside, found, weights_key, said, tokenizer)
        weights, own = unwrapped(pickled, found, weights_key)
        config = own if own is not None else _config_beside(found, weights)
        return LoadedModel(build_unet(config, weights, str(found)), config, None, None, str(found))
    if found.suffix == ".pt2":
        return LoadedModel(ExportedUNet(read_exported_program(found)), {}, None, None, str(found))
    if found.suffix == ".json":
        raise DgqcError(f"{found} holds no weights; give its folder, {found.parent}.")
    raise DgqcError(f"{found} is not a model dgqc can read; {FORMATS}.")


def _from_original(
    weights: Mapping[str, Any],
    path: Path,
    weights_key: str | None,
    said: Said,
    tokenizer: Path | None,
) -> LoadedModel:
    """The UNet of a checkpoint that holds every part of a model in one file, as its authors publish it."""
    if weights_key not in (None, EMA):
        raise DgqcError(f"{path} holds weights and perhaps averaged ones; --weights-key can only be {EMA}.")
    averaged = weights_key == EMA
    found = from_original(weights, str(path), said, averaged=averaged)
    others = (
        f" (averaged weights lie beside it: --weights-key {EMA})" if found.others and not averaged else ""
    )
    log.warning(
        "%s is a checkpoint in one file: its UNet is taken%s, called by %s as diffusers does; name another "
        "with --scheduler.",
        path,
        others,
        found.scheduler["_class_name"],
    )
    pipeline = None if tokenizer is None else _original_pipeline(path, found, tokenizer)
    if found.texts and pipeline is None:
        log.warning(
            "It holds a text encoder, but no tokenizer, as no such file does; name the folder of one with "
            "--tokenizer, and its own pipeline draws."
        )
    if left := [part for part in found.beside if part in NEVER or not found.texts]:
        log.warning("Its %s is left out; a program has no place for it.", " and its ".join(left))
    if found.unsure:
        log.warning(
            "The file doesn't say what its UNet predicts; noise is assumed, and Stable Diffusion 2 for 768 "
            "pixels wants --scheduler 'ddim{prediction_type=v_prediction}'."
        )
    model = build_unet(found.config, found.weights, str(path))
    tokens = pipeline.tokens if pipeline is not None else None
    return LoadedModel(model, found.config, pipeline, found.scheduler, str(path), tokens)


def _original_pipeline(path: Path, found: Original, tokenizer: Path) -> OriginalPipeline:
    """The pipeline in a file. Raises DgqcError where there is none, or no tokenizer, before long work."""
    if not found.texts:
        raise DgqcError(f"{path} holds no text encoder, which alone reads prompts; leave out --tokenizer.")
    pipeline = OriginalPipeline(path, found.config, found.scheduler, found.texts, tokenizer)
    _ = pipeline.kind, pipeline.tokens
    return pipeline


def config_only(path: str | Path) -> LoadedModel:
    """Builds a UNet on the meta device, for reports that need shapes only.

    path: a `config.json`, or a UNet's or pipeline's folder with one.
    Raises DgqcError as `load_model` does, but for weights that are not there at all.
    """
    found = Path(path)
    if found.is_dir():
        pipeline = _pipeline(found, None)
        folder = _unet_folder(pipeline)[0] if pipeline else found
        refuse_incomplete(folder)
        file = folder / "config.json"
    else:
        pipeline, file = None, found
    if not file.is_file():
        raise DgqcError(f"{file} does not exist; give a UNet's config.json or its folder.")
    config = _read_config(file)
    with reading(str(found), FORMATS):
        model, facts = empty_unet(config, str(file)), _facts(pipeline)
        if (kind := type(model).__name__) in CONTROLS:
            raise DgqcError(of_calls(kind))
        check_interface(config, facts, str(found))
        return _loaded(model, config, pipeline, facts, str(file))


def _pipeline(folder: Path, variant: str | None) -> PipelineFolder | None:
    return PipelineFolder(folder, variant) if (folder / "model_index.json").is_file() else None


def _facts(pipeline: PipelineFolder | None) -> PipelineFacts:
    return pipeline_facts(None if pipeline is None else pipeline.path)


def _from_folder(folder: Path, variant: str | None) -> LoadedModel:
    pipeline = _pipeline(folder, variant)
    unet, variant = _unet_folder(pipeline) if pipeline else (folder, variant)
    if not (unet / "config.json").is_file():
        refuse_converted(unet)
        raise DgqcError(f"{unet} has no config.json; {FORMATS}{hint_inside(unet)}.")
    config = _read_config(unet / "config.json")
    # What is wrong is said before gigabytes are read.
    empty_unet(config, str(unet / "config.json"))
    facts = _facts(pipeline)
    check_interface(config, facts, str(folder))
    file, weights = weights_in(unet, variant)
    loaded = _loaded(build_unet(config, weights, str(file)), config, pipeline, facts, str(folder))
    if pipeline is None or loaded.scheduler is None:
        return loaded
    return replace(loaded, scheduler=_built_scheduler(pipeline, loaded))


def _built_scheduler(pipeline: PipelineFolder, loaded: LoadedModel) -> Mapping[str, Any] | None:
    """As the pipeline has it, or else as it stands in the folder, which is said."""
    try:
        return built_scheduler(pipeline.path, loaded.model)
    except DgqcError as error:
        log.warning("Its scheduler's config counts as it stands: %s", error)
        return loaded.scheduler


def _loaded(
    model: nn.Module,
    config: Mapping[str, Any],
    pipeline: StoredPipeline | None,
    facts: PipelineFacts,
    source: str,
) -> LoadedModel:
    return LoadedModel(model, config, pipeline, facts.scheduler, source, facts.context_length)


def _config_beside(path: Path, weights: Mapping[str, Any]) -> dict[str, Any]:
    """The config in a file's folder. weights: tell what the file is where there is none."""
    for candidate in (path.with_suffix(".json"), path.with_name("config.json")):
        if candidate.is_file():
            return _read_config(candidate)
    if kind := foreign_kind(weights):
        raise DgqcError(f"{path} holds {kind}.")
    raise DgqcError(
        f"{path} holds weights only, and there is no config.json beside it; put the UNet's config.json into "
        f"{path.parent}."
    )


def _read_config(path: Path) -> dict[str, Any]:
    refuse_other_kinds(path)
    config = read_json_object(path)
    said = config.get("quantization_config")
    if isinstance(said, Mapping) and said.get("quant_method") == "dgqc":
        raise DgqcError(f"{path.parent} is compiled already: a bundle; give the float UNet or its pipeline.")
    tell_ignored(config, str(path))
    return config


def _unet_folder(pipeline: PipelineFolder) -> tuple[Path, str | None]:
    """The UNet's folder, and the variant of its weights there; trainers put averaged ones into another."""
    unet, other = pipeline.path / "unet", pipeline.path / f"unet_{pipeline.variant or EMA}"
    if other.is_dir() and pipeline.variant is not None:
        return other, None
    if not unet.is_dir():
        raise DgqcError(
            f"The pipeline {pipeline.path} has no unet folder; dgqc compiles pipelines around a UNet."
        )
    if other.is_dir():
        log.warning("%s has averaged weights too; take them with --variant %s.", pipeline.path, EMA)
    return unet, pipeline.variant
