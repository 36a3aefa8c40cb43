"""A compiled program in the place of a diffusers UNet."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from ..frontends.loading.arguments import named_arguments
from ..frontends.loading.guidance import KEY as GUIDANCE
from ..frontends.loading.guidance import guidance_embedding
from ..ir.calibration import Inputs
from ..ir.errors import DgqcError
from ..ir.program import Program
from .named_step import one_timestep
from .picture_steps import PictureSteps

CLOSE = 0.02
"""Between embedded guidance scales, whose sines are of thousands, and may come in halves."""
LOOKED_AT = ("add_embedding", "encoder_hid_proj")
"""Parts of the original that pipelines read shapes from."""


class Runnable(Protocol):
    """A `CompiledProgram`, or what is called like one."""

    @property
    def program(self) -> Program:
        """Its graph, inputs and schedule."""

    def answer(
        self,
        inputs: Inputs,
        timestep: torch.Tensor | float | None = None,
        *,
        step: int | None = None,
        backend: str | None = None,
        allow_nearest_step: bool = False,
    ) -> torch.Tensor:
        """One UNet call."""


class CompiledUNet(ModelMixin):  # type: ignore[misc]
    """Answers a pipeline's calls with a compiled program.

    It has the original's config, dtype and device, and takes the arguments that the compiled model takes;
    others (LoRA scales) are refused rather than ignored; a context is ignored where the original ignores it.
    The original's weights are not kept. A pipeline with it can't be saved: diffusers would leave it out.

    It counts the calls of a picture, which tells apart those at a timestep that the schedule has twice.
    """

    def __init__(
        self,
        program: Runnable,
        unet: nn.Module,
        *,
        backend: str | None = None,
        allow_nearest_step: bool = False,
    ) -> None:
        """unet: the original, or any UNet of its config. backend, allow_nearest_step: as in `run`."""
        super().__init__()
        self.program = program
        self.backend = backend
        self.allow_nearest_step = allow_nearest_step
        self._steps = PictureSteps()
        config: Any = unet.config
        _refuse_other_model(program, config)
        self.config = config
        parameter = next(unet.parameters())
        place = torch.empty(0, dtype=parameter.dtype, device=parameter.device)
        self.register_buffer("_place", place, persistent=False)
        for name in LOOKED_AT:
            if getattr(unet, name, None) is not None:
                setattr(self, name, getattr(unet, name))

    def begin_picture(self) -> None:
        """The next call of this thread is a picture's first, even if the last picture was left unfinished.

        Only needed where pictures begin in the middle of a schedule that has a timestep twice.
        """
        self._steps.begin()

    def save_pretrained(self, save_directory: str | os.PathLike[str], **options: Any) -> None:
        """Always raises DgqcError: a pipeline's folder holds float weights, and here are none."""
        raise DgqcError(
            f"{save_directory} can't take a compiled UNet, which diffusers could not load again; save the "
            "program by its own save(DIR), and the pipeline with its original UNet."
        )

    def _check_guidance(self, embedded: torch.Tensor | None) -> None:
        """Raises DgqcError for another guidance scale than the one that is settled in the program."""
        if embedded is None:
            return
        width = self.config.get(GUIDANCE)
        provenance = getattr(self.program, "provenance", None)
        scale = provenance.request.get("guidance_scale") if provenance is not None and width else None
        if scale is None:
            raise DgqcError("A compiled UNet has no timestep_cond; run the pipeline with the original UNet.")
        wanted = guidance_embedding(scale, width).to(embedded)
        if not torch.allclose(embedded, wanted.expand_as(embedded), atol=CLOSE):
            raise DgqcError(
                f"The program is compiled for a guidance scale of {scale:g}, and the pipeline gives another; "
                f"draw with guidance_scale={scale:g}, or compile with --guidance-scale."
            )

    @property
    def dtype(self) -> torch.dtype:
        """What a pipeline casts its inputs to."""
        return self._buffer.dtype

    @property
    def device(self) -> torch.device:
        """Where a pipeline puts its inputs; the program itself always runs on the CPU."""
        return self._buffer.device

    @property
    def _buffer(self) -> torch.Tensor:
        found: torch.Tensor = self.get_buffer("_place")
        return found

    def forward(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor | float,
        encoder_hidden_states: torch.Tensor | None = None,
        class_labels: torch.Tensor | None = None,
        timestep_cond: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        cross_attention_kwargs: Mapping[str, Any] | None = None,
        added_cond_kwargs: Mapping[str, Any] | None = None,
        return_dict: bool = True,
        *,
        step: int | None = None,
        **others: Any,
    ) -> Any:
        """As the original's: `UNet2DConditionOutput` or, without `return_dict`, a tuple of one tensor.

        step: the call's place in the schedule; None counts the calls of a picture.
        """
        self._check_guidance(timestep_cond)
        given = {
            "sample": sample,
            "encoder_hidden_states": encoder_hidden_states,
            "class_labels": class_labels,
            "attention_mask": attention_mask,
            "cross_attention_kwargs": cross_attention_kwargs,
            "added_cond_kwargs": added_cond_kwargs,
        }
        inputs, unknown = named_arguments({**given, **others})
        if unknown:
            raise DgqcError(
                f"A compiled UNet has no {unknown[0]}; run the pipeline without it, or with the original."
            )
        if step is None:
            step = self._steps.step_of(self.program.program.schedule, one_timestep(timestep))
        output = self.program.answer(
            inputs,
            timestep,
            step=step,
            backend=self.backend,
            allow_nearest_step=self.allow_nearest_step,
        )
        if not return_dict:
            return (output,)
        from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput

        return UNet2DConditionOutput(sample=output)


def _refuse_other_model(program: Runnable, config: Mapping[str, Any]) -> None:
    compiled = next(given for given in program.program.inputs if given.name == "sample")
    channels = config["in_channels"]
    if channels != compiled.shape[1]:
        raise DgqcError(
            f"The UNet takes {channels} channels, but the program was compiled from one with "
            f"{compiled.shape[1]}; give the UNet that was compiled."
        )
