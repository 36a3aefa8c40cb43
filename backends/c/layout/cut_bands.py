"""`cut-bands`: large images a band of lines at a time, so that few of them are in memory whole."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import fx

from ....ir.arithmetic.operands import ensure_shapes
from ....ir.level import Level
from ....ir.program import Program
from ....passes.base import Pass
from ....passes.graph.edit import clean, propagate, shape
from ....passes.manager.registry import register_pass
from ..kernels.value_rows import value_bytes
from .bands import Bands, enlarges, rule_of
from .demand_order import order_by_demand
from .plan import CLayout

KIB = 2**10
EVEN = 2
"""Lines of a band are a multiple of this, so that images that were enlarged are cut between pixels."""


@register_pass
@dataclass(frozen=True)
class CutBands(Pass):
    """Computes large images in bands of lines, and orders what is computed so that bands die soon.

    A value of which a band is all that its readers need next is never in memory whole: a convolution reads
    its band and a line above and below, an enlarged image is made where it is read, and a norm adds up its
    channels band by band. What is read twice, before and after a norm has seen all of it, gives way band by
    band to what is computed from it. Bits don't change.

    band: KiB of a band of the largest image of its size. least: images of fewer bands stay whole.
    """

    name: ClassVar[str] = "cut-bands"
    takes: ClassVar[Level] = Level.INTEGER
    leaves: ClassVar[Level] = Level.INTEGER
    requires: ClassVar[frozenset[str]] = frozenset({"integers"})
    invalidates: ClassVar[frozenset[str]] = frozenset({"fusion-groups", "memory-plan"})

    band: int = 4096
    least: int = 8

    def run(self, program: Program) -> Program:
        ensure_shapes(program)
        heights = band_heights(program.graph, self.band, self.least)
        report = {"sizes": [{"image": list(size), "lines": lines} for size, lines in heights.items()]}
        if not heights:
            return program.with_report(self.name, report)
        made = _cut(program.graph, heights)
        clean(program.graph)
        result = replace(program)
        propagate(result)
        parts = tuple(node.name for node in program.graph.graph.nodes if node in made)
        order_by_demand(program.graph, frozenset(parts))
        return replace(result, layout=CLayout(bands=parts)).with_report(self.name, report)


def band_heights(module: fx.GraphModule, kibibytes: int, least: int) -> dict[tuple[int, int], int]:
    """Lines of a band for each size (H, W) of images that are cut."""
    largest: dict[tuple[int, int], int] = {}
    for node in module.graph.nodes:
        if rule_of(node) is not None:
            size = shape(node)[1:3]
            largest[size] = max(largest.get(size, 0), value_bytes(node.meta["val"]))  # type: ignore[index, arg-type]
    found = {}
    for (height, width), most in largest.items():
        count = math.ceil(most / (kibibytes * KIB))
        lines = math.ceil(height / count / EVEN) * EVEN if count else height
        if math.ceil(height / lines) >= least:
            found[height, width] = lines
    return found


def _cut(module: fx.GraphModule, heights: dict[tuple[int, int], int]) -> set[fx.Node]:
    """Replaces what can be computed in bands. Returns the new nodes."""
    graph, bands = module.graph, Bands(module, heights)
    old = list(graph.nodes)
    for node in old:
        rule, size = rule_of(node), shape(node)[1:3] if rule_of(node) else ()
        with graph.inserting_before(node):
            if rule is not None and size in heights:
                bands.parts[node] = [(band, rule(node, band, bands)) for band in bands.of(size)]
            elif not (enlarges(node) and shape(node)[1:3] in heights):
                # Whoever reads an image whole gets it in one piece.
                for source in node.all_input_nodes:
                    if source in bands.parts or (enlarges(source) and shape(source)[1:3] in heights):
                        node.replace_input_with(source, bands.whole(source))
    return {node for node in graph.nodes if node.op == "call_function"} - set(old)
