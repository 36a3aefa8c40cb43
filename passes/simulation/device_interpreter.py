"""Runs a float graph where float work is computed."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx
from torch.utils._pytree import tree_map_only

from ...ir.devices import CPU
from ...ir.moving import moved


class DeviceInterpreter(fx.Interpreter):
    """An interpreter that takes and gives tensors of the CPU's, whatever device computes between.

    What a subclass keeps of values that pass through lies on that device, until it brings it back.
    """

    def placeholder(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return moved(super().placeholder(target, args, kwargs))

    def fetch_attr(self, target: str) -> Any:
        return moved(super().fetch_attr(target))

    def output(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found = super().output(target, args, kwargs)
        return tree_map_only(torch.Tensor, lambda one: one.to(CPU), found)
