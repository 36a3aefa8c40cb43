"""ControlNets and T2I-Adapters: what they add inside a UNet, as one tensor, since a program returns one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, T2IAdapter
from torch import nn

from ...ir.calibration import Calibration, Inputs
from ...ir.errors import DgqcError, UnsupportedOperation, one_line
from ...ir.storage.json_text import read_json_object
from .arguments import call_arguments
from .conditionings import CONTROLS
from .exported_unet import ExportedUNet

LOOKED_AT = 5
"""Calls, evenly spaced, whose residuals say how loud each of them is."""
PICTURE = "controlnet_cond"
"""A ControlNet's input that is the picture of edges, depth or poses; an adapter's sample is the picture."""


@dataclass(frozen=True)
class Residual:
    """One of a control network's results. shape: (C, H, W). loudness: its largest magnitude, in own units."""

    shape: tuple[int, int, int]
    loudness: float


class _Packed(nn.Module):
    """A control network that returns its residuals side by side, each divided by its loudness."""

    def __init__(self, network: nn.Module, residuals: Sequence[Residual]) -> None:
        super().__init__()
        self.model = network
        self.loudness = [one.loudness for one in residuals]

    def forward(
        self, sample: torch.Tensor, timestep: torch.Tensor, conditions: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        found = _answer(self.model, {"sample": sample, **conditions}, timestep)
        parts = [one.flatten(1) * (1 / loud) for one, loud in zip(found, self.loudness, strict=True)]
        return torch.cat(parts, dim=1)


class ExportedControl(ExportedUNet):
    """A control network as a model of one result: float32 (1, N), all residuals in units of their loudness.

    residuals: of which kind they are, those on the way down first, the middle's last.
    """

    def __init__(self, network: nn.Module, recorded: Calibration) -> None:
        """recorded: the network's own calls, which say how large its inputs are.

        Raises DgqcError for calls of another model, UnsupportedOperation where it can't be traced.
        """
        kind = type(network).__name__
        first = next(recorded.read(0))
        own = PICTURE in first if isinstance(network, ControlNetModel) else set(first) == {"sample"}
        if not own:
            raise DgqcError(
                f"The calibration has {', '.join(sorted(first))}, so it is not a {kind}'s; record it with "
                f"`dgqc calibrate PIPELINE --part {CONTROLS[kind]}`."
            )
        found = _residuals(network, recorded)
        example = {name: torch.zeros_like(value[:1]) for name, value in first.items()}
        sample, times = example.pop("sample"), torch.zeros(1)
        try:
            program = torch.export.export(_Packed(network, found), (sample, times, example), strict=False)
        except Exception as error:
            reason = one_line((str(error).strip() or repr(error)).splitlines()[0], 200)
            raise UnsupportedOperation(f"The {kind} can't be traced: {reason}.") from error
        super().__init__(program, kind)
        self.residuals = found


def class_in(path: Path) -> str | None:
    """The class of a model that a folder's config.json, or such a file, names; None where there is none."""
    file = path / "config.json" if path.is_dir() else path
    if file.suffix != ".json" or not file.is_file():
        return None
    name = read_json_object(file).get("_class_name")
    return name if isinstance(name, str) else None


def unpacked(packed: torch.Tensor, residuals: Sequence[Residual]) -> list[torch.Tensor]:
    """The residuals, (B, C, H, W) each. packed: (B, N), what such a model returns."""
    parts = torch.split(packed, [math.prod(one.shape) for one in residuals], dim=1)
    return [part.reshape(-1, *one.shape) * one.loudness for part, one in zip(parts, residuals, strict=True)]


def _residuals(network: nn.Module, recorded: Calibration) -> tuple[Residual, ...]:
    """What the network returns, and how loud at most."""
    calls = len(recorded.schedule)
    shapes: list[torch.Size] = []
    loud: list[float] = []
    for step in sorted({call * (calls - 1) // max(1, LOOKED_AT - 1) for call in range(LOOKED_AT)}):
        time = torch.tensor([recorded.schedule.timesteps[step]])
        for inputs in recorded.read(step):
            with torch.no_grad():
                found = _answer(network, inputs, time)
            shapes = [one.shape[1:] for one in found]
            now = [float(one.abs().max()) for one in found]
            loud = [max(pair) for pair in zip(loud, now, strict=True)] if loud else now
    # One that is always zero, as of a ControlNet that was never trained, has no loudness of its own.
    return tuple(Residual((s[0], s[1], s[2]), one or 1.0) for s, one in zip(shapes, loud, strict=True))


def _answer(network: Any, inputs: Inputs, timestep: torch.Tensor) -> list[torch.Tensor]:
    if isinstance(network, T2IAdapter):
        return list(network(inputs["sample"]))
    down, middle = network(**call_arguments(inputs), timestep=timestep, return_dict=False)
    return [*down, middle]
