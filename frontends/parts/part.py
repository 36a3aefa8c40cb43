"""One part of a pipeline beside its UNet: a model of one call, with samples of what it is called with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from ...ir.calibration import Calibration, Inputs
from ...ir.errors import UnsupportedOperation, one_line
from ...ir.schedule import ONE_CALL
from ...ir.tokenizer import Tokenizer
from ..loading.exported_unet import ExportedUNet

BATCH = 4
"""Samples of a part that are seen together."""


@dataclass(frozen=True)
class Part:
    """One part as it is compiled.

    name: of the part in a bundle. model: takes one input and a timestep that it ignores.
    calibration: what the pipeline calls it with, drawn when first read.
    tokenizer: of a text encoder, as tables; None for others, and where it has none.
    """

    name: str
    model: ExportedUNet
    calibration: Calibration
    tokenizer: Tokenizer | None = None


def exported(module: nn.Module, example: torch.Tensor, kind: str, what: str) -> ExportedUNet:
    """A part's model. module: takes an input like the example, and a timestep. kind: class of the original.

    what: the part's name in its pipeline, for the message.
    Raises UnsupportedOperation where it can't be traced.
    """
    try:
        program = torch.export.export(module.eval(), (example, torch.zeros(1)), strict=False)
    except Exception as error:
        reason = one_line(str(error).strip().splitlines()[0] if str(error).strip() else repr(error), 200)
        raise UnsupportedOperation(f"The pipeline's {what}, a {kind}, can't be traced: {reason}") from error
    return ExportedUNet(program, kind)


def called_with(name: str, origin: str, values: Callable[[], torch.Tensor]) -> Calibration:
    """A calibration of one call. name: of the input. values: all samples, asked for once, when first read."""
    drawn = cache(values)

    def read(step: int) -> Iterator[Inputs]:
        return ({name: batch} for batch in torch.split(drawn(), BATCH))

    return Calibration(ONE_CALL, read, synthetic=False, origin=origin)
