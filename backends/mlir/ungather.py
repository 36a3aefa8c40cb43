"""Takes out the gathers that make the channels of a group contiguous."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import fx

from ...ir.operands import value_of
from ...ir.program import Program

dgqc = torch.ops.dgqc
GROUP_AND_WEIGHT = {dgqc.linear.default: (4, 6), dgqc.conv2d.default: (4, 5)}
"""Where products with weights take their groups and their weights."""


def ungathered(program: Program) -> Program:
    """The program, whose products take channels in the order in which they come, with a graph of its own.

    A kernel that goes group by group wants contiguous groups. A contraction here multiplies the groups out
    first and takes any order; permuting the constants back saves moving the activations. Bits are the same.
    """
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in program.graph.graph.nodes:
        copies[node] = graph.node_copy(node, copies.__getitem__)
    module = fx.GraphModule(program.graph, graph)
    widths = dict(program.report.get("weight-bits", {}))
    for node in list(module.graph.nodes):
        if node.target in GROUP_AND_WEIGHT:
            _ungather(module, node, widths)
    module.graph.eliminate_dead_code()
    return replace(program, graph=module, report={**program.report, "weight-bits": widths})


def _ungather(module: fx.GraphModule, node: fx.Node, widths: dict[str, int]) -> None:
    moved = node.args[0]
    if not isinstance(moved, fx.Node) or moved.target is not dgqc.gather.default:
        return
    source, order, axis = moved.args
    if axis % len(moved.meta["val"].shape) != len(moved.meta["val"].shape) - 1:  # type: ignore[operator]
        return
    back = torch.argsort(value_of(order))
    node.update_arg(0, source)
    for place, name in zip(GROUP_AND_WEIGHT[node.target], ("group", "weight"), strict=True):  # type: ignore[index]
        old = node.args[place]
        assert isinstance(old, fx.Node)
        key = f"{old.target}_as_it_comes_{node.name}"
        module.register_buffer(key, value_of(old)[..., back].contiguous())
        with module.graph.inserting_before(node):
            new = module.graph.get_attr(key)
        new.meta["val"] = module.get_buffer(key).to("meta")
        node.update_arg(place, new)
        if name == "weight" and str(old.target) in widths:
            widths[key] = widths[str(old.target)]
