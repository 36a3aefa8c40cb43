"""`permute-channels`: the channels of a group stand side by side, in codes and in weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import fx

from ....ir.level import Level
from ....ir.nodes import argument, replace_argument
from ....ir.ops.integer import product_of, takes_codes_and_weight
from ....ir.program import Program
from ....passes.base import Pass
from ....passes.graph.edit import add_constant, call, clean, constant, dgqc, propagate
from ....passes.manager.registry import register_pass
from ..kernels.product_sums import QUAD
from .columns import present, with_columns
from .upstream_products import upstream_products

WHOLE_QUADS = ((0,), (2, 2), (1, 3), (1, 1, 2), (2, 3, 3), (1, 1, 1, 1), (3, 3, 3, 3))
"""Remainders of sizes, divided by four, that add up to multiples of it."""


@register_pass
@dataclass(frozen=True)
class PermuteChannels(Pass):
    """Reorders channels so that each group is one contiguous block of the reduction.

    Weights are permuted here, once; so are the columns of the products that made the activations, where
    nothing else depends on their order. Else activations are, by a `dgqc::gather` of their codes. A kernel
    can then work block by block with one zero and one multiple each. A sum doesn't depend on its order:
    results stay the same bit for bit. Products of two activations stay as they are, since their operands'
    groups differ. Kernels multiply quads of channels, and one that two groups share is multiplied for each,
    so groups come in an order in which few do.
    """

    name: ClassVar[str] = "permute-channels"
    takes: ClassVar[Level] = Level.INTEGER
    leaves: ClassVar[Level] = Level.INTEGER
    requires: ClassVar[frozenset[str]] = frozenset({"integers"})
    provides: ClassVar[frozenset[str]] = frozenset({"contiguous-groups"})
    invalidates: ClassVar[frozenset[str]] = frozenset({"fusion-groups", "memory-plan"})

    def run(self, program: Program) -> Program:
        module, operands, gathers = program.graph, 0, 0
        widths = dict(program.report.get("weight-bits", {}))
        for node in list(module.graph.nodes):
            if node.target is dgqc.quantize.default and _feeds_weights_only(node):
                order = _order(module, node)
                if order is not None:
                    operands += 1
                    gathers += _permute(module, node, order, widths)
        clean(module)
        result = replace(program)
        propagate(result)
        return result.with_report("weight-bits", present(module, widths)).with_report(
            self.name, {"operands": operands, "gathers": gathers}
        )


def _feeds_weights_only(quantize: fx.Node) -> bool:
    """Whether all readers are products with weights whose groups lie along the summed axis, the last."""
    if argument(quantize, "axis") != len(quantize.meta["val"].shape) - 1:
        return False
    return all(takes_codes_and_weight(user) for user in quantize.users)


def _order(module: fx.GraphModule, quantize: fx.Node) -> torch.Tensor | None:
    """The order of channels to come; None where groups are side by side already."""
    group = constant(module, _groups_of_reader(next(iter(quantize.users))))
    if bool((group[1:] >= group[:-1]).all()):
        return None
    return torch.cat([(group == one).nonzero()[:, 0] for one in in_quads(torch.bincount(group).tolist())])


def _groups_of_reader(reader: fx.Node) -> fx.Node:
    """The constant with the group of each channel, the same for all products that read the same codes."""
    known = product_of(reader)
    assert known is not None
    group = argument(reader, known.operands[0].group)
    assert isinstance(group, fx.Node)
    return group


def _permute(module: fx.GraphModule, quantize: fx.Node, order: torch.Tensor, widths: dict[str, int]) -> bool:
    """Has a node's readers read its channels in this order. Returns whether codes are gathered for that."""
    readers, products = list(quantize.users), upstream_products(quantize)
    old, own = _groups_of_reader(readers[0]), argument(quantize, "group")
    with module.graph.inserting_before(quantize):
        group = add_constant(module, f"{quantize.name}_sorted_group", constant(module, old)[order])
    if products is None:
        codes = _gathered(module, quantize, order)
    else:
        codes, quantizer = quantize, group
        if own is not old:  # parts of groups, where 16-bit scales differ
            with module.graph.inserting_before(quantize):
                sorted_parts = constant(module, own)[order]
                quantizer = add_constant(module, f"{quantize.name}_sorted_quantizer", sorted_parts)
        replace_argument(quantize, "group", quantizer)
        for product in products:
            product.args = with_columns(module, product, order, "ordered", widths)
    for reader in readers:
        known = product_of(reader)
        assert known is not None
        assert known.weight is not None
        (operand,) = known.operands
        weight_node = argument(reader, known.weight)
        weight = constant(module, weight_node)[..., order].contiguous()
        with module.graph.inserting_before(reader):
            new = add_constant(module, f"{weight_node.target}_by_group", weight)
        widths[str(new.target)] = widths.get(str(weight_node.target), 8)
        replace_argument(reader, operand.codes, codes)
        replace_argument(reader, operand.group, group)
        replace_argument(reader, known.weight, new)
    return products is None


def _gathered(module: fx.GraphModule, quantize: fx.Node, order: torch.Tensor) -> fx.Node:
    """The node's codes in this order."""
    graph, axis, name = module.graph, argument(quantize, "axis"), quantize.name
    with graph.inserting_after(quantize):
        moved = call(graph, dgqc.gather.default, (quantize, None, axis), quantize, f"{name}_by_group")
    with graph.inserting_before(moved):
        replace_argument(moved, "order", add_constant(module, f"{name}_order", order.to(torch.int32)))
    return moved


def in_quads(sizes: Sequence[int]) -> list[int]:
    """Groups of these sizes in an order in which as few as possible share a quad of channels: sets of them
    that fill whole quads one after the other, the smallest sets first.
    """
    rest: dict[int, list[int]] = {over: [] for over in range(QUAD)}
    for one in reversed(range(len(sizes))):
        rest[sizes[one] % QUAD].append(one)
    order: list[int] = []
    for together in WHOLE_QUADS:
        while all(len(rest[over]) >= together.count(over) for over in together):
            order += [rest[over].pop() for over in together]
    return order + [one for groups in rest.values() for one in reversed(groups)]
