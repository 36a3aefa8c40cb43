"""Weights that torchao quantized, in safetensors files as diffusers writes them, as floats.

Beside the parts of a weight, `conv._weight_qdata` and `conv._weight_scale`, the file's own metadata says
which kind it is, under the weight's name.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import torch
from pydantic import ConfigDict, Field

from ...ir.errors import DgqcError, one_line
from ...ir.storage.json_text import parse_json
from ...ir.storage.schema import Record, checked

log = logging.getLogger("dgqc")

NAMES = "tensor_names"
"""Stands in the metadata of each file that torchao had a part in."""
PLAIN = "Tensor"
KINDS = ("Int8Tensor", "IntxUnpackedToInt8Tensor", "Float8Tensor")
"""Those of one code an element; others are packed for a certain kernel."""
DATA, SCALE, ZERO_POINT = "qdata", "scale", "zero_point"
REMEDY = "load it with diffusers, call dequantize() of the model, and save that"


class BlocksRecord(Record):
    """What is said of a quantized weight, as far as it matters here."""

    model_config = ConfigDict(extra="allow")

    block_size: Annotated[list[Annotated[int, Field(ge=1, le=2**31)]], Field(min_length=1, max_length=8)]


class TorchaoRecord(Record):
    """What the metadata says under a weight's name."""

    model_config = ConfigDict(extra="allow")

    kind: Annotated[str, Field(alias="_type")]
    about: Annotated[BlocksRecord, Field(alias="_data")]
    parts: Annotated[list[str], Field(alias="_tensor_data_names")]


def without_torchao(
    tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str], path: Path
) -> Mapping[str, torch.Tensor]:
    """A file's tensors; those that torchao quantized are float32, which the log says.

    metadata: the file's own. Raises DgqcError for a kind that only torchao's code can read, and where a part
    is missing.
    """
    if NAMES not in metadata:
        return tensors
    found, count = dict(tensors), 0
    for name, text in metadata.items():
        record = _record(name, text, path)
        if record is None:
            continue
        module, _, leaf = name.rpartition(".")
        parts = {part: found.pop(f"{module}._{leaf}_{part}", None) for part in record.parts}
        try:
            found[name] = _floats(parts, record.about.block_size)
        except (KeyError, RuntimeError, ValueError) as error:
            raise DgqcError(f"{path}: the parts of {name} don't fit each other; {REMEDY}.") from error
        count += 1
    if count:
        log.warning(
            "%s: %d weights are quantized by torchao; the floats that they stand for are taken.", path, count
        )
    return found


def _record(name: str, text: str, path: Path) -> TorchaoRecord | None:
    """None for what isn't of a weight that is quantized."""
    place = f"{path}, {name} in its metadata"
    found = parse_json(text, place) if name != NAMES and text.startswith("{") else None
    if not isinstance(found, dict) or found.get("_type", PLAIN) == PLAIN:
        return None
    parts = found.get("_tensor_data_names")
    if (
        found["_type"] not in KINDS
        or not isinstance(parts, list)
        or not {*parts} <= {DATA, SCALE, ZERO_POINT}
    ):
        raise DgqcError(
            f"{path}: {name} is stored by torchao in a form that only its own code can read "
            f"({one_line(str(found['_type']), 40)}); {REMEDY}."
        )
    return checked(TorchaoRecord, found, place, REMEDY)


def _floats(parts: Mapping[str, torch.Tensor | None], block: list[int]) -> torch.Tensor:
    """(code - zero point) times the scale of its block.

    Raises KeyError for a part that is missing, RuntimeError or ValueError where shapes don't fit.
    """
    data, scale, zero = (parts.get(part) for part in (DATA, SCALE, ZERO_POINT))
    if data is None or scale is None:
        raise KeyError(DATA if data is None else SCALE)
    blocks = [size // length for size, length in zip(data.shape, block, strict=True)]
    values = data.float()
    if zero is not None:
        values = values - _of_elements(zero, blocks, block)
    return values * _of_elements(scale, blocks, block)


def _of_elements(values: torch.Tensor, blocks: list[int], block: list[int]) -> torch.Tensor:
    """One value a block, of any shape, as one for each element."""
    spread = values.float().reshape(blocks)
    for axis, length in enumerate(block):
        spread = spread.repeat_interleave(length, axis)
    return spread
