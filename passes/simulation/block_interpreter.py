"""Runs a float graph; large attentions a block of queries at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from ...ir.ops.captured import is_layer
from ...ir.plans import ObservedProbabilities, Plan, Probabilities, QuantizedProbabilities
from ...ir.program import Program
from ...ir.storage.mapped import let_go
from ..graph.edit import aten, dgqc

LARGE = 2**25
"""Attentions with more scores than this are taken in blocks: whole, they fill gigabytes several times."""
BLOCK = 2**21
"""Scores of a block: little enough to stay in the cache."""


@dataclass(frozen=True)
class Rows:
    """A tensor (..., M, N) that isn't there yet, but can be computed a few rows at a time.

    shape: of the whole. part: rows first .. last - 1 of it, (..., last - first, N).
    """

    shape: torch.Size
    part: Callable[[int, int], torch.Tensor]

    def then(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Rows:
        """What a function makes of it that works row by row and keeps the shape."""
        return Rows(self.shape, lambda first, last: function(self.part(first, last)))

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Where blocks begin and end."""
        count = self.shape[-2]
        size = max(1, BLOCK * count // self.shape.numel())
        yield from ((first, min(first + size, count)) for first in range(0, count, size))


class BlockInterpreter(fx.Interpreter):
    """An interpreter of captured and planned graphs that never holds a large attention's scores.

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
    shape = torch.Size((*left.shape[:-1], right.shape[-1]))
    return Rows(shape, lambda first, last: left[..., first:last, :] @ right)


def on_rows(n: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a node makes of rows, its first argument: other rows; a product of them is whole."""
    source, *others = args
    if n.target is not aten.matmul.default:
        function: Any = n.target
        return source.then(lambda part: function(part, *others, **kwargs))
    parts = [source.part(first, last) @ others[0] for first, last in source.blocks()]
    return torch.cat(parts, dim=-2)


def reader_of_rows(product: fx.Node, args: tuple[Any, ...], plans: Mapping[str, Plan]) -> fx.Node | None:
    """The product that reads another one's large result as its rows: its only way leads through factors, a
    softmax and its site there. None where there is no such product. args: of the first one, as they are."""
    if product.target is not aten.matmul.default or _scores(args) <= LARGE:
        return None
    node, normalized, last = product, False, len(product.meta["val"].shape) - 1
    while len(node.users) == 1:
        (user,) = node.users
        if user.args[0] is not node:
            return None
        if user.target is aten.matmul.default:
            return user if normalized else None
        scales = user.target is aten.mul.Tensor and not isinstance(user.args[1], fx.Node)
        softens = user.target is aten.softmax.int and user.args[1] in (-1, last)
        if not (scales or softens or _is_site_of_probabilities(user, plans)):
            return None
        node, normalized = user, normalized or softens
    return None


def _is_site_of_probabilities(node: fx.Node, plans: Mapping[str, Plan]) -> bool:
    """Whether a node is a site of probabilities, which may be looked at in parts."""
    if node.target is not dgqc.site.default:
        return False
    plan = plans.get(str(node.args[1]))
    return isinstance(plan, Probabilities | ObservedProbabilities | QuantizedProbabilities)


def _scores(args: tuple[Any, ...]) -> int:
    left, right = args
    return int(left.numel() // left.shape[-1] * right.shape[-1])
