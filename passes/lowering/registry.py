"""Who lowers what: each family of lowerings registers its functions where they are defined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import fx

from .builder import IntegerGraphBuilder
from .values import LoweredValue

Lowering = Callable[[IntegerGraphBuilder, fx.Node], LoweredValue]
"""From a node of the planned level to what it becomes: `(builder, node) -> value`."""

_lowerings: dict[Any, Lowering] = {}


def lowers(*targets: Callable[..., Any]) -> Callable[[Lowering], Lowering]:
    """Registers the integer form of captured ops.

    Raises ValueError where an op has one already.
    """

    def register(lowering: Lowering) -> Lowering:
        for target in targets:
            if _lowerings.setdefault(target, lowering) is not lowering:
                raise ValueError(f"{target} is lowered by {_lowerings[target].__qualname__} already")
        return lowering

    return register


def lowerings() -> Mapping[Any, Lowering]:
    """All integer forms by their ops. Families register when they are imported: `passes.lowering.families`
    imports dgqc's own."""
    return dict(_lowerings)
