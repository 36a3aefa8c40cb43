"""Runs a float graph; large attentions a block of queries at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import fx
from torch.utils.checkpoint import checkpoint

from ...ir.ops.captured import is_layer
from ...ir.program import Program
from ...ir.storage.mapped import let_go
from ..graph.edit import aten, dgqc
from ..graph.large_attention import BLOCK, reader_of_rows
from .device_interpreter import DeviceInterpreter

Block = tuple[slice, ...]
"""Of a tensor (..., M, N): one place in each leading dimension, and some rows."""


@dataclass(frozen=True)
class Rows:
    """A tensor (..., M, N) that isn't there yet, but can be computed a few rows at a time.

    shape: of the whole. part: a block of it, with all dimensions.
    """

    shape: torch.Size
    part: Callable[[Block], torch.Tensor]

    def then(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Rows:
        """What a function makes of it that works row by row and keeps the shape."""
        return Rows(self.shape, lambda block: function(self.part(block)))

    def blocks(self) -> Iterator[Block]:
        """All blocks, in the order of the elements: rows of one head, since products of several are slow."""
        *leading, count, columns = self.shape
        size = max(1, BLOCK // columns)
        for place in product(*map(range, leading)):
            head = tuple(slice(index, index + 1) for index in place)
            yield from ((*head, slice(i, min(i + size, count))) for i in range(0, count, size))


class BlockInterpreter(DeviceInterpreter):
    """An interpreter of captured, planned and simulated graphs that never holds a large attention's scores.

    Scores between a large product and the next one (factors, softmax, sites) become `Rows`, which that next
    product computes. Results are those of `fx.Interpreter` up to the rounding of sums; graphs without large
    attentions run as they would there.
    """

    def __init__(self, program: Program) -> None:
        super().__init__(program.graph)
        self.plans = program.plans

    def see(self, name: str, value: torch.Tensor, site: fx.Node) -> None:
        """Told what goes through each site, in blocks of rows where it is large; for subclasses."""

    def run_node(self, n: fx.Node) -> Any:
        if n.op != "call_function":
            return super().run_node(n)
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        found = self._computed(n, args, kwargs)
        if is_layer(n):
            let_go(args[1])
        return found

    def _computed(self, n: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if n.target is dgqc.site.default:
            source, name = args
            if isinstance(source, Rows):
                return source.then(lambda part: self._seen(name, part, n))
            return self._seen(name, source, n)
        if isinstance(args[0], Rows):
            return on_rows(n, args, kwargs)
        if reader_of_rows(n, args, self.plans) is not None:
            return product_by_rows(*args)
        return self.call_function(n.target, args, kwargs)

    def _seen(self, name: Any, value: torch.Tensor, site: fx.Node) -> torch.Tensor:
        self.see(str(name), value, site)
        return value


def product_by_rows(left: torch.Tensor, right: torch.Tensor) -> Rows:
    """Their matrix product, a few rows at a time."""
    leading = torch.broadcast_shapes(left.shape[:-2], right.shape[:-2])  # type: ignore[no-untyped-call]
    left, right = (one.expand(*leading, *one.shape[-2:]) for one in (left, right))
    shape = torch.Size((*left.shape[:-1], right.shape[-1]))
    return Rows(shape, lambda block: left[block] @ right[block[:-1]])


def on_rows(n: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a node makes of rows, its first argument: other rows; a product of them is whole."""
    source, *others = args
    if n.target is not aten.matmul.default:
        function: Any = n.target
        return source.then(lambda part: function(part, *others, **kwargs))
    right = others[0].expand(*source.shape[:-2], *others[0].shape[-2:])
    parts = [_product(source, block, right[block[:-1]]).flatten(0, -2) for block in source.blocks()]
    return torch.cat(parts).reshape(*source.shape[:-1], right.shape[-1])


def _product(source: Rows, block: Block, right: torch.Tensor) -> torch.Tensor:
    """Of a block; whoever goes back through it computes the block again, so that none is held."""
    if not torch.is_grad_enabled():
        return source.part(block) @ right
    found: torch.Tensor = checkpoint(
        lambda: source.part(block) @ right, use_reentrant=False, preserve_rng_state=False
    )
    return found
