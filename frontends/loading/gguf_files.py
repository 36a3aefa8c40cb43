"""GGUF, in which stable-diffusion.cpp and ComfyUI keep UNets: read by the package that its authors wrote."""

from __future__ import annotations

import importlib
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from ...ir.errors import DgqcError
from ...ir.reading import reading

log = logging.getLogger("dgqc")

SUFFIX = ".gguf"
FLOATS = ("F64", "F32", "F16", "BF16")
SHAPE = "comfy.gguf.orig_shape."
"""Begins the key of a field with a tensor's shape, where it had to be changed for its blocks."""


def read_gguf(path: Path) -> dict[str, torch.Tensor]:
    """The tensors by name, float32, quantized ones as the floats that they stand for, which the log says.

    Raises DgqcError for a damaged file, and where the package gguf isn't installed.
    """
    try:
        gguf: Any = importlib.import_module("gguf")
    except ImportError as error:
        raise DgqcError(
            f"{path} is a GGUF file, which the package gguf reads; install it with pip install dgqc[gguf], "
            "or give the float weights."
        ) from error
    found, kinds = dict[str, torch.Tensor](), Counter[str]()
    with reading(str(path), "it is no complete GGUF file of a UNet; copy it again"):
        reader = gguf.GGUFReader(path)
        for tensor in reader.tensors:
            kind = tensor.tensor_type.name
            # Its sizes go from the last axis to the first.
            shape = tuple(int(size) for size in reversed(tensor.shape))
            field = reader.get_field(f"{SHAPE}{tensor.name}")
            if field is not None:
                shape = tuple(int(field.parts[index][0]) for index in field.data)
            values = torch.from_numpy(gguf.dequantize(tensor.data, tensor.tensor_type).copy())
            found[tensor.name] = values.to(torch.float32).reshape(shape)
            if kind not in FLOATS:
                kinds[kind] += 1
    if kinds:
        counted = ", ".join(f"{count} of {kind}" for kind, count in sorted(kinds.items()))
        log.warning("%s: quantized weights (%s) are taken as the floats that they stand for.", path, counted)
    return found
