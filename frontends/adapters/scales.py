"""What an adapter's products are multiplied by, where a configuration says so rather than the tensors."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from ...ir.errors import DgqcError
from ...ir.storage.schema import Record, Text, checked

Rank = Annotated[int, Field(ge=1, le=2**20)]
Alpha = Annotated[float, Field(ge=-1e6, le=1e6)]


class PeftConfigRecord(Record):
    """What is read of peft's `adapter_config.json`, or of the metadata that diffusers puts into the file."""

    model_config = ConfigDict(extra="allow")

    peft_type: Text | None = None
    r: Rank = 8
    lora_alpha: Alpha | None = None
    alpha: Alpha | None = None
    rank_pattern: dict[Text, Rank] | None = None
    alpha_pattern: dict[Text, Alpha] | None = None
    use_rslora: bool = False
    fan_in_fan_out: bool = False


@dataclass(frozen=True)
class Scales:
    """Of one part of the pipeline. alpha, rank: of all layers but those in the patterns, by the ends of their
    names."""

    alpha: float
    rank: int
    alphas: Mapping[str, float] = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)
    by_root: bool = False

    def factor(self, layer: str) -> float:
        """What a layer's product is multiplied by."""
        alpha: float = _found(self.alphas, layer, self.alpha)
        rank: int = _found(self.ranks, layer, self.rank)
        return alpha / (math.sqrt(rank) if self.by_root else rank)


def scales_of(config: Mapping[str, Any], source: str) -> Scales:
    """The scales that peft's configuration asks for. Raises DgqcError for what can't be followed."""
    record = checked(PeftConfigRecord, dict(config), source, "save the adapter again")
    if record.fan_in_fan_out:
        raise DgqcError(
            f"{source} has fan_in_fan_out, which no diffusion UNet's layers are; give its own LoRA."
        )
    given = record.lora_alpha if record.lora_alpha is not None else record.alpha
    return Scales(
        8.0 if given is None else given,
        record.r,
        {_plain(name, source): value for name, value in (record.alpha_pattern or {}).items()},
        {_plain(name, source): value for name, value in (record.rank_pattern or {}).items()},
        record.use_rslora,
    )


def _plain(pattern: str, source: str) -> str:
    """The end of a layer's name that a pattern stands for."""
    plain = pattern.strip("^$").replace("\\.", ".")
    if not re.fullmatch(r"[\w.]+", plain, re.ASCII):
        raise DgqcError(f"{source} names layers by the expression {pattern!r}; write out the layers' names.")
    return plain


def _found(patterns: Mapping[str, Any], layer: str, default: Any) -> Any:
    matching = (value for name, value in patterns.items() if layer == name or layer.endswith(f".{name}"))
    return next(matching, default)
