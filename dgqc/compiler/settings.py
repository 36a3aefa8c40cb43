"""The widths that a pipeline asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..ir import ops  # noqa: F401  (registers the dgqc ops, which passes name)
from ..passes.base import Pass

FLOAT_OPT = "fp32"


@dataclass(frozen=True)
class Settings:
    """Bits of weights, activations, and of both at the first and last convolution; groups per operand."""

    weight_bits: int
    activation_bits: int
    edge_bits: int
    groups: int

    def to_json(self) -> dict[str, int]:
        return {
            "weight_bits": self.weight_bits,
            "activation_bits": self.activation_bits,
            "edge_bits": self.edge_bits,
            "groups": self.groups,
        }


GROUPING = ("kmeans-groups", "error-groups", "step-groups")
"""Passes that make groups."""
FLOAT = Settings(32, 32, 32, 0)
"""The model as it came."""


def settings_of(passes: Sequence[Pass]) -> Settings:
    """The widths of a pipeline's passes; 8 bits and one group where they don't say."""
    weights = _option(passes, "quantize-weights", "bits", 8)
    return Settings(
        weight_bits=weights,
        activation_bits=_option(passes, "insert-sites", "bits", 8),
        edge_bits=max(weights, _option(passes, "insert-sites", "edges", 8)),
        groups=max(_option(passes, name, "groups", 1) for name in GROUPING),
    )


def _option(passes: Sequence[Pass], name: str, option: str, otherwise: int) -> int:
    found: Any = next((getattr(item, option, None) for item in passes if item.name == name), None)
    return otherwise if found is None else int(found)
