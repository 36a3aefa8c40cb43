"""ControlNets: what they add inside a UNet, as one tensor, since a program returns one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel
from torch import nn

from ...ir.calibration import Calibration, Inputs
from ...ir.errors import DgqcError, UnsupportedOperation, one_line
from ...ir.storage.json_text import read_json_object
from .arguments import call_arguments
from .exported_unet import ExportedUNet

LOOKED_AT = 5
"""Calls, evenly spaced, whose residuals say how loud each of them is."""
PICTURE = "controlnet_cond"
"""The input that is the picture of edges, depth or poses."""


@dataclass(frozen=True)
class Residual:
    """One of a ControlNet's results. shape: (C, H, W). loudness: its largest magnitude, in its own units."""

    shape: tuple[int, int, int]
    loudness: float


class _Packed(nn.Module):
    """A ControlNet that returns its residuals side by side, each divided by its loudness."""

    def __init__(self, controlnet: nn.Module, residuals: Sequence[Residual]) -> None:
        super().__init__()
        self.model = controlnet
        self.loudness = [one.loudness for one in residuals]

    def forward(
        self, sample: torch.Tensor, timestep: torch.Tensor, conditions: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        found = _answer(self.model, {"sample": sample, **conditions}, timestep)
        parts = [one.flatten(1) * (1 / loud) for one, loud in zip(found, self.loudness, strict=True)]
        return torch.cat(parts, dim=1)


class ExportedControlNet(ExportedUNet):
    """A ControlNet as a model of one result: float32 (1, N), all residuals in units of their loudness.

    residuals: of which kind they are, those on the way down first, the middle's last.
    """

    def __init__(self, controlnet: ControlNetModel, recorded: Calibration) -> None:
        """recorded: the ControlNet's own calls, which say how large its inputs are.

        Raises DgqcError for calls of another model, UnsupportedOperation where it can't be traced.
        """
        kind = type(controlnet).__name__
        first = next(recorded.read(0))
        if PICTURE not in first:
            raise DgqcError(
                f"The calibration has no {PICTURE} (it has {', '.join(sorted(first))}), so it is not a "
                "ControlNet's; record it with `dgqc calibrate PIPELINE --part controlnet`."
            )
        found = _residuals(controlnet, recorded)
        example = {name: torch.zeros_like(value[:1]) for name, value in first.items()}
        sample, times = example.pop("sample"), torch.zeros(1)
        try:
            program = torch.export.export(_Packed(controlnet, found), (sample, times, example), strict=False)
        except Exception as error:
            reason = one_line((str(error).strip() or repr(error)).splitlines()[0], 200)
            raise UnsupportedOperation(f"The {kind} can't be traced: {reason}.") from error
        super().__init__(program, kind)
        self.residuals = found


def is_controlnet(path: Path) -> bool:
    """Whether a folder, or a config.json, says that it is a ControlNet's."""
    file = path / "config.json" if path.is_dir() else path
    if file.suffix != ".json" or not file.is_file():
        return False
    return bool(read_json_object(file).get("_class_name") == ControlNetModel.__name__)


def unpacked(packed: torch.Tensor, residuals: Sequence[Residual]) -> list[torch.Tensor]:
    """The residuals, (B, C, H, W) each. packed: (B, N), what such a model returns."""
    parts = torch.split(packed, [math.prod(one.shape) for one in residuals], dim=1)
    return [part.reshape(-1, *one.shape) * one.loudness for part, one in zip(parts, residuals, strict=True)]


def _residuals(controlnet: nn.Module, recorded: Calibration) -> tuple[Residual, ...]:
    """What the ControlNet returns, and how loud at most."""
    calls = len(recorded.schedule)
    shapes: list[torch.Size] = []
    loud: list[float] = []
    for step in sorted({call * (calls - 1) // max(1, LOOKED_AT - 1) for call in range(LOOKED_AT)}):
        time = torch.tensor([recorded.schedule.timesteps[step]])
        for inputs in recorded.read(step):
            with torch.no_grad():
                found = _answer(controlnet, inputs, time)
            shapes = [one.shape[1:] for one in found]
            now = [float(one.abs().max()) for one in found]
            loud = [max(pair) for pair in zip(loud, now, strict=True)] if loud else now
    # One that is always zero, as of a ControlNet that was never trained, has no loudness of its own.
    return tuple(Residual((s[0], s[1], s[2]), one or 1.0) for s, one in zip(shapes, loud, strict=True))


def _answer(controlnet: Any, inputs: Inputs, timestep: torch.Tensor) -> list[torch.Tensor]:
    arguments = call_arguments(inputs)
    down, middle = controlnet(**arguments, timestep=timestep, return_dict=False)
    return [*down, middle]
