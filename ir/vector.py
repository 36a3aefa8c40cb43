"""Test cases that emitted programs carry."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from .drawing import UNGUIDED


@dataclass(frozen=True)
class Vector:
    """One UNet call and what must come out.

    step: the index of the call. inputs: int16 tensors by input name. output: int16.
    cache: of a shallow call, what the full one before it left, int16; None where the call is full.
    alone: of a full call that makes amends, what it says without them; None where that is the output.
    """

    step: int
    inputs: dict[str, torch.Tensor]
    output: torch.Tensor
    cache: torch.Tensor | None = None
    alone: torch.Tensor | None = None


@dataclass(frozen=True)
class DrawingVector:
    """A whole drawing by the denoising loop and the picture that must come out.

    seed: of the noise. conditions: int16 tensors by input name, the sample left out. output: int16.
    negative: what guidance leads away from, likewise; empty for none. guidance: its scale in 2^-16.
    """

    seed: int
    conditions: dict[str, torch.Tensor]
    output: torch.Tensor
    negative: dict[str, torch.Tensor] = field(default_factory=dict)
    guidance: int = UNGUIDED
