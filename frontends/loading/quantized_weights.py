"""Weights that other tools quantized, as the floats that they stand for.

What was rounded away stays lost, so whoever has the float weights gives those.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import ConfigDict, Field

from ...ir.errors import DgqcError, one_line
from ...ir.reading import reading
from ...ir.storage.json_text import parse_json
from ...ir.storage.schema import Record, checked

log = logging.getLogger("dgqc")

WeightsByName = Mapping[str, Any]
REMEDY = "give the model's float weights"
STATE = ".quant_state.bitsandbytes__"
LARGEST_CODE = 127
"""Of bitsandbytes' integers."""
DROPPED = (".scaled_fp8", ".scale_input", ".input_scale", ".output_scale", ".weight_format")
"""Ends of names that say how activations were to be quantized."""
FORMAT = ".comfy_quant"
"""Ends of names of the text, as bytes, in which ComfyUI says how a layer's weight is stored."""
EIGHT = ("float8_e4m3fn", "float8_e5m2")
"""Of its formats, those with a code an element and one scale."""
Positive = Annotated[int, Field(ge=1, le=2**31)]


class QuantStateRecord(Record):
    """What bitsandbytes says of a weight of four bits."""

    model_config = ConfigDict(extra="allow")

    blocksize: Positive
    shape: Annotated[list[Positive], Field(min_length=1, max_length=8)]
    nested_blocksize: Positive | None = None
    nested_offset: float = 0.0


@dataclass(frozen=True)
class Scheme:
    """How a tool stores a weight.

    name: for people. mark: stands in the name of a tensor that only this tool writes beside a weight.
    weight: what stands in its place in the weight's own name. others: ends of the names of what else lies
    beside the weight, after its name. floats: what they stand for together, given the weight's name.
    """

    name: str
    mark: str
    weight: str
    others: tuple[str, ...]
    floats: Callable[[str, WeightsByName], torch.Tensor]

    def weights(self, tensors: WeightsByName) -> dict[str, str]:
        """The names of weights in this form, by those of their marks."""
        return {one: one.partition(self.mark)[0] + self.weight for one in tensors if self.mark in one}


def dequantized(weights: WeightsByName, source: str) -> WeightsByName:
    """The weights, quantized ones as float32 under their own names, which the log says.

    Raises DgqcError for a form of a tool that isn't known, or that isn't whole.
    """
    for name in (one for one in weights if one.endswith(FORMAT)):
        _check_format(weights[name], name.removesuffix(FORMAT), source)
    found = {name: tensor for name, tensor in weights.items() if not _says_activations(name)}
    for scheme in SCHEMES:
        stored = scheme.weights(found)
        for mark, weight in stored.items():
            try:
                floats = scheme.floats(weight, found)
            except (KeyError, RuntimeError, ValueError, IndexError, TypeError) as error:
                raise DgqcError(
                    f"{source}: {weight} is stored by {scheme.name} in a form that is not known; {REMEDY}."
                ) from error
            for gone in (mark, *(f"{weight}{end}" for end in scheme.others)):
                found.pop(gone, None)
            found[weight] = floats
        if stored:
            log.warning(
                "%s: %d weights are quantized by %s; the floats that they stand for are taken.",
                source,
                len(stored),
                scheme.name,
            )
    return found


def _says_activations(name: str) -> bool:
    return name == "scaled_fp8" or name.endswith((*DROPPED, FORMAT))


def _check_format(text: Any, layer: str, source: str) -> None:
    """Raises DgqcError where ComfyUI stored a layer in another form than one code and one scale."""
    with reading(f"{source}: how {layer} is stored", REMEDY):
        said = parse_json(bytes(text.to(torch.uint8).tolist()).decode(), f"{source}: {layer}{FORMAT}")
    kind = said.get("format") if isinstance(said, dict) else said
    if kind not in EIGHT:
        raise DgqcError(
            f"{source}: {layer} is stored as {one_line(str(kind), 100)}, which only ComfyUI reads; {REMEDY}."
        )


def _four_bits(weight: str, tensors: WeightsByName) -> torch.Tensor:
    """bitsandbytes: two codes a byte, the first in the upper half; a scale for each block of weights."""
    (mark,) = (name for name in tensors if name.startswith(weight + STATE))
    text = bytes(tensors[mark].to(torch.uint8).tolist()).decode()
    record = checked(QuantStateRecord, parse_json(text, mark), mark, REMEDY)
    absolute = tensors[f"{weight}.absmax"]
    if record.nested_blocksize is not None:
        # The scales are quantized once more.
        levels = tensors[f"{weight}.nested_quant_map"].float()[absolute.long()]
        absolute = _blocks(levels, tensors[f"{weight}.nested_absmax"], record.nested_blocksize)
        absolute = absolute + record.nested_offset
    packed = tensors[weight].flatten().to(torch.uint8)
    codes = torch.stack([packed >> 4, packed & 15], dim=1).flatten().long()
    levels = tensors[f"{weight}.quant_map"].float()[codes]
    shape = torch.Size(record.shape)
    return _blocks(levels, absolute, record.blocksize)[: shape.numel()].reshape(shape)


def _blocks(values: torch.Tensor, scales: torch.Tensor, size: int) -> torch.Tensor:
    """Values (N,) times the scale of their block."""
    return values * scales.float().repeat_interleave(size)[: len(values)]


def _eight_bits(weight: str, tensors: WeightsByName) -> torch.Tensor:
    """bitsandbytes: integers with the absolute maximum of each row."""
    rows = tensors[f"{weight.removesuffix('.weight')}.SCB"].float() / LARGEST_CODE
    floats: torch.Tensor = tensors[weight].float() * rows.reshape(-1, 1)
    return floats


def _scaled_halves(weight: str, tensors: WeightsByName) -> torch.Tensor:
    """Floats of eight bits with one scale for a weight."""
    ends = (f"{weight.removesuffix('.weight')}.{one}" for one in ("scale_weight", "weight_scale"))
    scale = next(tensors[name] for name in ends if name in tensors)
    floats: torch.Tensor = tensors[weight].float() * scale.float()
    return floats


def _quanto(weight: str, tensors: WeightsByName) -> torch.Tensor:
    """optimum-quanto: integers or floats of eight bits, with a scale for each row."""
    data, scale = tensors[f"{weight}._data"], tensors[f"{weight}._scale"].float()
    floats: torch.Tensor = data.float() * scale
    return floats


SCHEMES = (
    Scheme(
        "bitsandbytes in four bits",
        STATE,
        "",
        (".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map"),
        _four_bits,
    ),
    Scheme("bitsandbytes in eight bits", ".SCB", ".weight", (), _eight_bits),
    Scheme("quanto", "._data", "", ("._scale",), _quanto),
    Scheme("floats of eight bits and a scale", ".scale_weight", ".weight", (), _scaled_halves),
    Scheme("floats of eight bits and a scale", ".weight_scale", ".weight", (), _scaled_halves),
)
