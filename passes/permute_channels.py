"""`permute-channels`: the channels of a group stand side by side, in codes and in weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import fx

from ..ir.level import Level
from ..ir.product_sums import QUAD
from ..ir.program import Program
from .base import Pass
from .graph import add_constant, call, clean, constant, dgqc, propagate
from .registry import register_pass

GROUP_AND_WEIGHT = {dgqc.linear.default: (4, 6), dgqc.conv2d.default: (4, 5)}
"""Where products with weights take their groups and their weights."""
WHOLE_QUADS = ((0,), (2, 2), (1, 3), (1, 1, 2), (2, 3, 3), (1, 1, 1, 1), (3, 3, 3, 3))
"""Remainders of sizes, divided by four, that add up to multiples of it."""


@register_pass
@dataclass(frozen=True)
class PermuteChannels(Pass):
    """Reorders channels so that each group is one contiguous block of the reduction.

    Weights are permuted here, once; activations by a `dgqc::gather` of their codes, so that a kernel can
    work block by block with one zero and one multiple each. A sum doesn't depend on its order: results stay
    the same bit for bit. Products of two activations stay as they are, since their operands' groups differ.
    Kernels multiply quads of channels, and one that two groups share is multiplied for each, so groups come
    in an order in which few do.
    """

    name: ClassVar[str] = "permute-channels"
    takes: ClassVar[Level] = Level.INTEGER
    leaves: ClassVar[Level] = Level.INTEGER
    requires: ClassVar[frozenset[str]] = frozenset({"integers"})
    provides: ClassVar[frozenset[str]] = frozenset({"contiguous-groups"})
    invalidates: ClassVar[frozenset[str]] = frozenset({"streams", "memory-plan"})

    def run(self, program: Program) -> Program:
        permuted = 0
        widths = dict(program.report.get("weight-bits", {}))
        for node in list(program.graph.graph.nodes):
            if node.target is dgqc.quantize.default and _feeds_weights_only(node):
                permuted += _permute(program.graph, node, widths)
        clean(program.graph)
        result = replace(program)
        propagate(result)
        return result.with_report("weight-bits", _present(program.graph, widths)).with_report(
            self.name, {"operands": permuted}
        )


def _feeds_weights_only(quantize: fx.Node) -> bool:
    """Whether all readers are products with weights whose groups lie along the summed axis, the last."""
    if quantize.args[6] != len(quantize.meta["val"].shape) - 1:
        return False
    return all(user.target in GROUP_AND_WEIGHT for user in quantize.users)


def _permute(module: fx.GraphModule, quantize: fx.Node, widths: dict[str, int]) -> int:
    """Puts a gather behind the node and permutes what its readers read. Returns how many were changed."""
    group_node, axis = quantize.args[5], quantize.args[6]
    assert isinstance(group_node, fx.Node)
    group = constant(module, group_node)
    if bool((group[1:] >= group[:-1]).all()):
        return 0
    order = torch.cat([(group == one).nonzero()[:, 0] for one in in_quads(torch.bincount(group).tolist())])
    readers = list(quantize.users)
    graph = module.graph
    with graph.inserting_after(quantize):
        moved = call(
            graph, dgqc.gather.default, (quantize, None, axis), quantize, f"{quantize.name}_by_group"
        )
    with graph.inserting_before(moved):
        moved.update_arg(1, add_constant(module, f"{quantize.name}_order", order.to(torch.int32)))
        sorted_group = add_constant(module, f"{quantize.name}_sorted_group", group[order])
    for reader in readers:
        group_place, weight_place = GROUP_AND_WEIGHT[reader.target]  # type: ignore[index]
        weight_node = reader.args[weight_place]
        assert isinstance(weight_node, fx.Node)
        weight = constant(module, weight_node)[..., order].contiguous()
        with graph.inserting_before(reader):
            new = add_constant(module, f"{weight_node.target}_by_group", weight)
        widths[str(new.target)] = widths.get(str(weight_node.target), 8)
        reader.update_arg(0, moved)
        reader.update_arg(group_place, sorted_group)
        reader.update_arg(weight_place, new)
    return 1


def in_quads(sizes: Sequence[int]) -> list[int]:
    """Groups of these sizes in an order in which as few as possible share a quad of channels: sets of them
    that fill whole quads one behind the other, the smallest sets first.
    """
    rest: dict[int, list[int]] = {over: [] for over in range(QUAD)}
    for one in reversed(range(len(sizes))):
        rest[sizes[one] % QUAD].append(one)
    order: list[int] = []
    for together in WHOLE_QUADS:
        while all(len(rest[over]) >= together.count(over) for over in together):
            order += [rest[over].pop() for over in together]
    return order + [one for groups in rest.values() for one in reversed(groups)]


def _present(module: fx.GraphModule, widths: dict[str, int]) -> dict[str, int]:
    names = {str(node.target) for node in module.graph.nodes if node.op == "get_attr"}
    return {name: bits for name, bits in widths.items() if name in names}
