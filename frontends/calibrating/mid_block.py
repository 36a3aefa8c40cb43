"""What the middle of a UNet sees at each call of a calibration."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ...ir.calibration import Calibration
from ...ir.devices import CPU
from ...ir.moving import moved
from ...ir.progress import track
from ..loading.arguments import call_arguments
from ..loading.exported_unet import ExportedUNet
from .lend import lent


def mid_block_inputs(model: nn.Module, calibration: Calibration) -> torch.Tensor:
    """The input of the middle block's attention, of each call's first batch: float32 (T, B, C, H, W).

    Where the middle has no attention, the middle block's input; where there is no middle block to be found
    (an exported graph), the UNet's own input.
    """
    place = _place(model)
    calls = len(calibration.schedule)
    seen: list[torch.Tensor] = []

    def keep(module: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        value = arguments[0] if arguments else next(iter(keywords.values()))
        seen.append(value.detach().to(CPU).float())

    handle = place.register_forward_pre_hook(keep, with_kwargs=True) if place is not None else None
    try:
        with torch.no_grad(), lent(model):
            for step in track(range(calls), "comparing calls", calls):
                inputs = dict(next(calibration.read(step)))
                if place is None:
                    seen.append(inputs["sample"].float())
                    continue
                there = {name: moved(value) for name, value in inputs.items()}
                timestep = calibration.schedule.timesteps[step]
                model(**call_arguments(there, model), timestep=timestep, return_dict=False)
    finally:
        if handle is not None:
            handle.remove()
    size = min(len(value) for value in seen)
    return torch.stack([value[:size] for value in seen])


def _place(model: nn.Module) -> nn.Module | None:
    middle = getattr(model, "mid_block", None)
    if isinstance(model, ExportedUNet) or not isinstance(middle, nn.Module):
        return None
    attentions = getattr(middle, "attentions", None)
    first = next(iter(attentions), None) if attentions is not None else None
    return first if isinstance(first, nn.Module) else middle
