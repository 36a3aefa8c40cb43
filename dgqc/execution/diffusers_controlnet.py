"""A compiled ControlNet in the place of the float one in a diffusers pipeline."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import ControlNetModel
from diffusers.models.controlnets.controlnet import ControlNetOutput
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from ..frontends.loading.arguments import named_arguments
from ..frontends.loading.controls import unpacked
from ..ir.errors import DgqcError
from ..ir.typed import typed
from .backends import check_backend
from .control_residuals import residuals_of
from .diffusers_unet import Runnable
from .named_step import one_timestep
from .picture_steps import PictureSteps


class CompiledControlNet(ControlNetModel):  # type: ignore[misc]
    """Answers a pipeline's calls of its ControlNet with a compiled program.

    Strength, guess mode and global pooling are applied in float, as the original does. The original's weights
    are not kept.
    """

    @typed
    def __init__(self, program: Runnable, controlnet: ControlNetModel, *, backend: str | None = None) -> None:
        """controlnet: the original, or any of its config. backend: as in `run`.

        Raises DgqcError for a program that is no ControlNet's, and for a backend that can't run it here.
        """
        ModelMixin.__init__(self)
        check_backend(backend, program.program)
        self.program, self.backend = program, backend
        self.residuals = residuals_of(program, ControlNetModel)
        self._steps = PictureSteps()
        self.register_to_config(**controlnet.config)
        weight = next(controlnet.parameters())
        place = torch.empty(0, dtype=weight.dtype, device=weight.device)
        # Pipelines look for a parameter: one with a type and a place, no values.
        self.register_parameter("_place", nn.Parameter(place, requires_grad=False))

    def save_pretrained(self, *_: Any, **__: Any) -> None:
        """Always raises DgqcError: diffusers would write a folder without weights."""
        raise DgqcError("A compiled ControlNet is saved as a bundle, by its own program.save(DIR).")

    @typed
    def forward(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor | float,
        encoder_hidden_states: torch.Tensor,
        controlnet_cond: torch.Tensor,
        conditioning_scale: float = 1.0,
        *,
        guess_mode: bool = False,
        return_dict: bool = True,
        step: int | None = None,
        **others: Any,
    ) -> Any:
        """As the original's: residuals on the way down, and the middle's.

        step: the call's place in the schedule; None counts the calls of a picture.
        """
        given = {
            "sample": sample,
            "encoder_hidden_states": encoder_hidden_states,
            "controlnet_cond": controlnet_cond,
        }
        inputs, unknown = named_arguments({**given, **others})
        if unknown:
            raise DgqcError(f"A compiled ControlNet has no {unknown[0]}; draw without, or with the original.")
        if step is None:
            step = self._steps.step_of(self.program.program.schedule, one_timestep(timestep))
        packed = self.program.answer(inputs, timestep, step=step, backend=self.backend)
        found = unpacked(packed, self.residuals)
        if guess_mode and not self.config.global_pool_conditions:
            scales = (torch.logspace(-1, 0, len(found)) * conditioning_scale).tolist()
        else:
            scales = [conditioning_scale] * len(found)
        found = [one * scale for one, scale in zip(found, scales, strict=True)]
        if self.config.global_pool_conditions:
            found = [one.mean(dim=(2, 3), keepdim=True) for one in found]
        *down, middle = found
        if not return_dict:
            return tuple(down), middle
        return ControlNetOutput(down_block_res_samples=tuple(down), mid_block_res_sample=middle)
