"""Networks of the user's that compute on a device for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ...ir.devices import CPU, device_here
from ...ir.moving import moved
from ..loading.exported_unet import ExportedUNet

Table = dict[str, Any]
"""Of a module: its parameters or its buffers by name."""


@contextmanager
def lent(*networks: nn.Module) -> Iterator[None]:
    """Networks have their weights where float work is computed, until the block ends.

    Then they have those that they had, which nobody has changed: graphs that hold them, too, and files that
    they are mapped from, know nothing of it. What was exported to a graph stays, since that names the CPU
    itself.
    """
    found: dict[int, torch.Tensor] = {}  # weights that several modules have are moved once
    held: list[tuple[Table, str, torch.Tensor]] = []
    tables = _tables(networks) if device_here() != CPU else []
    try:
        for table in tables:
            for name, value in table.items():
                if value is not None:
                    held.append((table, name, value))
                    table[name] = found.setdefault(id(value), _moved(value))
        yield
    finally:
        for table, name, value in held:
            table[name] = value


def networks_in(pipeline: Any) -> list[nn.Module]:
    """All that a diffusers pipeline is made of."""
    return [one for one in pipeline.components.values() if isinstance(one, nn.Module)]


def _tables(networks: tuple[nn.Module, ...]) -> list[Table]:
    movable = [network for network in networks if not isinstance(network, ExportedUNet)]
    modules = dict.fromkeys(module for network in movable for module in network.modules())
    return [table for module in modules for table in (module._parameters, module._buffers)]


def _moved(value: torch.Tensor) -> torch.Tensor:
    there = moved(value.detach())
    return nn.Parameter(there, requires_grad=False) if isinstance(value, nn.Parameter) else there
