"""Parts of a pipeline that are recorded: its UNet, and networks that read pictures to steer it."""

from __future__ import annotations

import re
from typing import Any

from diffusers import ControlNetUnionModel, MultiAdapter, MultiControlNetModel, T2IAdapter
from torch import nn

from ...ir.errors import DgqcError

UNET, CONTROLNET, ADAPTER = "unet", "controlnet", "adapter"
"""Parts of pipelines whose calls can be recorded."""
PART = re.compile(rf"({UNET}|{CONTROLNET}|{ADAPTER})(?:\.(\d{{1,2}}))?", re.ASCII)


def networks_of(pipeline: Any) -> list[nn.Module]:
    """Those that the pipeline gives a picture each, in its order; none where it has none."""
    for name in (CONTROLNET, ADAPTER):
        if isinstance(found := getattr(pipeline, name, None), nn.Module):
            return _each(found)
    return []


def part_of(pipeline: Any, part: str) -> nn.Module:
    """A part of the pipeline by its name, `controlnet.1` for the second of several.

    Raises DgqcError for one that the pipeline hasn't, and where several are meant.
    """
    if (named := PART.fullmatch(part)) is None:
        names = f"{UNET}, {CONTROLNET}, {ADAPTER}, or {CONTROLNET}.1 of several"
        raise DgqcError(f"There is no --part {part}; it is {names}.")
    kind, whole = type(pipeline).__name__, getattr(pipeline, named[1], None)
    if not isinstance(whole, nn.Module):
        raise DgqcError(f"A {kind} has no {named[1]}; leave --part out.")
    each = _each(whole)
    if named[2] is None and len(each) > 1:
        names = " or ".join(f"{named[1]}.{number}" for number in range(len(each)))
        raise DgqcError(f"The {kind} has {len(each)} networks there; say whose calls, with --part {names}.")
    if isinstance(whole, ControlNetUnionModel):
        raise DgqcError(
            f"The {kind}'s {named[1]} is one for many kinds of pictures, which stays float; what it adds are "
            "inputs of the UNet's program: call the pipeline in dgqc.recording(pipe.unet), and compile the "
            "UNet with that."
        )
    number = int(named[2] or 0)
    if number >= len(each):
        raise DgqcError(f"The {kind} has no {part}; its last one is {named[1]}.{len(each) - 1}.")
    return each[number]


def reads_gray(network: nn.Module) -> bool:
    """Whether its pictures have one channel, as sketches' adapters want them."""
    config: Any = getattr(network, "config", {})
    return isinstance(network, T2IAdapter) and config.get("in_channels") == 1


def _each(network: nn.Module) -> list[nn.Module]:
    if isinstance(network, MultiControlNetModel):
        return list(network.nets)
    return list(network.adapters) if isinstance(network, MultiAdapter) else [network]
