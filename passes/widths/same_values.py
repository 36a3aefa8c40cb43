"""Which nodes of a graph compute one value: what is rounded at one of them is rounded alike at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import fx

from ...ir.plans import Dimension, Operand, Plan, QuantizedOperand, Role
from ...ir.program import Program
from ..graph.edit import dgqc
from ..manager.failures import snapshot


def each_once(program: Program) -> Program:
    """The program with each value computed once, where it is first. The given one stays as it is."""
    graph = snapshot(program)
    for node, first in same_values(graph.graph, program.plans).items():
        if node is not first:
            node.replace_all_uses_with(first)
    graph.graph.eliminate_dead_code()
    return replace(program, graph=graph)


def same_values(graph: fx.Graph, plans: Mapping[str, Plan]) -> Mapping[fx.Node, fx.Node]:
    """For each node the first one that computes the same, which may be itself (value numbering).

    Sites of one value are the same where their operands are of one role and width, since ranges, groups and
    scales follow from the value; but for those that a convolution quantizes position by position, and those
    that nothing is decided on yet.
    """
    found: dict[fx.Node, fx.Node] = {}
    first: dict[object, fx.Node] = {}
    for node in graph.nodes:
        found[node] = first.setdefault(_key(node, plans, found), node)
    return found


def _key(node: fx.Node, plans: Mapping[str, Plan], found: Mapping[fx.Node, fx.Node]) -> object:
    if node.op in ("placeholder", "get_attr"):
        return node.op, str(node.target)
    if node.op != "call_function":
        return node
    if node.target is dgqc.site.default:
        plan = plans.get(str(node.args[1]))
        operand = getattr(plan, "operand", None)
        if isinstance(plan, Operand) or (isinstance(plan, QuantizedOperand) and _by_position(plan)):
            return node
        return node.target, found[node.all_input_nodes[0]], type(plan), operand
    return node.target, str(fx.node.map_arg((node.args, dict(node.kwargs)), lambda one: found[one]))


def _by_position(plan: QuantizedOperand) -> bool:
    return plan.operand.role is Role.CONVOLUTION and plan.dimension is Dimension.PIXEL
