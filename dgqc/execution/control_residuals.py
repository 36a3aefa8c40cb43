"""What the one result of a control network's program holds, as its report says."""

from __future__ import annotations

from diffusers import ControlNetModel
from torch import nn

from ..frontends.loading.controls import PICTURE, Residual
from ..ir.errors import DgqcError
from .diffusers_unet import Runnable

RESIDUALS = "residuals"
"""Of a program's report."""


def residuals_of(program: Runnable, kind: type[nn.Module]) -> list[Residual]:
    """The residuals, in their order. kind: of network that the program stands in for.

    Raises DgqcError for a program that was compiled from another.
    """
    described = getattr(program, "report", {}).get(RESIDUALS)
    of_controlnet = any(one.name == PICTURE for one in program.program.inputs)
    if described is None or of_controlnet != issubclass(kind, ControlNetModel):
        raise DgqcError(f"The program was not compiled from a {kind.__name__}; give one that was.")
    return [Residual(tuple(one["shape"]), one["loudness"]) for one in described]
