"""`split-products`: a product of which only slices are read becomes a product for each slice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

import torch
from torch import fx

from ....ir.level import Level
from ....ir.ops.integer import takes_codes_and_weight
from ....ir.program import Program
from ....ir.views import slice_bounds
from ....passes.base import Pass
from ....passes.graph.edit import aten, call, clean, propagate
from ....passes.manager.registry import register_pass
from .columns import present, with_columns


@register_pass
@dataclass(frozen=True)
class SplitProducts(Pass):
    """Cuts the weights of products whose result is only read in slices of its columns, as both halves of a
    GEGLU are: a slice of columns is a copy in C, where rows are contiguous.

    Each part multiplies some of the weight's columns, with their scales and biases; factors and shifts are
    per call and stay. Results are the same bit for bit. Slices that overlap stay, since their columns would
    be computed twice. So do convolutions with groups of output positions, which quantize for themselves.
    """

    name: ClassVar[str] = "split-products"
    takes: ClassVar[Level] = Level.INTEGER
    leaves: ClassVar[Level] = Level.INTEGER
    requires: ClassVar[frozenset[str]] = frozenset({"integers"})
    invalidates: ClassVar[frozenset[str]] = frozenset({"fusion-groups", "memory-plan"})

    def run(self, program: Program) -> Program:
        widths = dict(program.report.get("weight-bits", {}))
        found = {node: _parts(node) for node in program.graph.graph.nodes if takes_codes_and_weight(node)}
        split = {product: parts for product, parts in found.items() if parts}
        for product, parts in split.items():
            _split(program.graph, product, parts, widths)
        clean(program.graph)
        result = replace(program)
        propagate(result)
        return result.with_report("weight-bits", present(program.graph, widths)).with_report(
            self.name, {"products": len(split), "parts": sum(map(len, split.values()))}
        )


def _parts(product: fx.Node) -> dict[fx.Node, range]:
    """The slices of columns that read a product, with their columns; none where anything else reads it, or
    where two of them overlap."""
    last, found = len(product.meta["val"].shape) - 1, dict[fx.Node, range]()
    for user in product.users:
        if user.target is not aten.slice.Tensor:
            return {}
        axis, start, step = slice_bounds(user)
        if axis != last or step != 1:
            return {}
        found[user] = range(start, start + user.meta["val"].shape[last])
    places = sorted(found.values(), key=lambda columns: columns.start)
    return {} if any(a.stop > b.start for a, b in pairwise(places)) else found


def _split(
    module: fx.GraphModule, product: fx.Node, parts: dict[fx.Node, range], widths: dict[str, int]
) -> None:
    """Computes each slice by itself, where the whole was."""
    graph, name = module.graph, f"{product.name}_part"
    for part, columns in parts.items():
        args = with_columns(module, product, torch.tensor(columns), "part", widths)
        with graph.inserting_before(product):
            part.replace_all_uses_with(call(graph, product.target, args, product, name))  # type: ignore[arg-type]
        graph.erase_node(part)
    graph.erase_node(product)
