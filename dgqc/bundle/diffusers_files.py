"""What makes a bundle a folder that diffusers' `from_pretrained` takes: a config, and weights that hold none.

config.json                            the UNet's own, and `quantization_config` with `quant_method: dgqc`
diffusion_pytorch_model.safetensors    no tensors: diffusers looks for it, and the program has the weights
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from ..ir.storage.json_text import read_json_object

CONFIG, WEIGHTS = "config.json", "diffusion_pytorch_model.safetensors"
QUANTIZATION, METHOD, METHOD_NAME = "quantization_config", "quant_method", "dgqc"
CLASS = "_class_name"


def plain_config(name: str, config: Mapping[str, Any]) -> dict[str, Any] | None:
    """A diffusers model's config as a bundle keeps it; None for a model that has none.

    name: of the model's class. What diffusers noted of a machine, such as the folder that it was loaded from,
    is left out.
    """
    said = {key: value for key, value in config.items() if not key.startswith("_") and key != QUANTIZATION}
    return {CLASS: name, **json.loads(json.dumps(said))} if said else None


def write_diffusers_files(folder: Path, config: Mapping[str, Any], opt: str) -> None:
    """Writes both files. config: as `plain_config` gives it. opt: what the bundle was compiled with."""
    whole = {**config, QUANTIZATION: {METHOD: METHOD_NAME, "opt": opt}}
    text = json.dumps(whole, indent=2) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8", newline="\n")
    # One entry alone: safetensors writes several in any order, and bundles have the same bytes each time.
    save_file({}, folder / WEIGHTS, metadata={"format": "pt"})


def read_config(folder: Path, remedy: str) -> dict[str, Any] | None:
    """The config of a bundle's model; None where it was no model of diffusers.

    Raises DgqcError for a file that isn't JSON; its values are diffusers' to understand. remedy: what to do.
    """
    if not (folder / CONFIG).is_file():
        return None
    found = read_json_object(folder / CONFIG, remedy)
    return {key: value for key, value in found.items() if key != QUANTIZATION}
