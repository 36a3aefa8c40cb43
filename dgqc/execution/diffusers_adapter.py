"""A compiled T2I-Adapter in the place of the float one in a diffusers pipeline."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import T2IAdapter
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from ..frontends.loading.controls import unpacked
from ..ir.errors import DgqcError
from ..ir.typed import typed
from .backends import check_backend
from .control_residuals import residuals_of
from .diffusers_unet import Runnable


class CompiledAdapter(T2IAdapter):  # type: ignore[misc]
    """Answers a pipeline's one call of its adapter with a compiled program.

    How strongly it counts is applied in float by the pipeline, as for the original, whose weights are not
    kept. Several stand in a `MultiAdapter`, as originals do.
    """

    @typed
    def __init__(self, program: Runnable, adapter: T2IAdapter, *, backend: str | None = None) -> None:
        """adapter: the original, or any of its config. backend: as in `run`.

        Raises DgqcError for a program that is no adapter's, and for a backend that can't run it here.
        """
        ModelMixin.__init__(self)
        check_backend(backend, program.program)
        self.program, self.backend = program, backend
        self.residuals = residuals_of(program, T2IAdapter)
        self.register_to_config(**adapter.config)
        self._factors = int(adapter.downscale_factor), int(adapter.total_downscale_factor)
        weight = next(adapter.parameters())
        place = torch.empty(0, dtype=weight.dtype, device=weight.device)
        # Pipelines look for a parameter: one with a type and a place, no values.
        self.register_parameter("_place", nn.Parameter(place, requires_grad=False))

    def save_pretrained(self, *_: Any, **__: Any) -> None:
        """Always raises DgqcError: diffusers would write a folder without weights."""
        raise DgqcError("A compiled T2I-Adapter is saved as a bundle, by its own program.save(DIR).")

    @property
    def downscale_factor(self) -> int:
        """Pixels to a side of what the first layer reads."""
        return self._factors[0]

    @property
    def total_downscale_factor(self) -> int:
        """Pixels to a side of what the last layer reads."""
        return self._factors[1]

    @typed
    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """What the UNet adds at each of its depths, (B, C, H, W) each. x: (B, channels, H, W), 0 to 1."""
        packed = self.program.answer({"sample": x}, step=0, backend=self.backend)
        return unpacked(packed, self.residuals)
