"""What is reconstructed together: blocks found by how values flow, and single layers.

A residual join is a sum whose two sides both come from the sample. The branch between the value that all of
it is computed from (its immediate dominator) and the join is a block: a ResNet block has one, a transformer
block three, one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import networkx
from torch import fx

from ....ir.ops.captured import is_layer
from ...graph.edit import aten, dgqc, placeholders_upstream


@dataclass(frozen=True)
class Unit:
    """Some nodes of a graph that are computed together, in graph order; no constants among them.

    products: those whose weights are learned; none where the nodes are only computed.
    """

    nodes: tuple[fx.Node, ...]
    products: tuple[fx.Node, ...]

    @cached_property
    def inputs(self) -> tuple[fx.Node, ...]:
        """What it reads from outside: no constants, not the step."""
        own = set(self.nodes)
        read = dict.fromkeys(i for node in self.nodes for i in node.all_input_nodes)
        return tuple(i for i in read if i not in own and i.op != "get_attr" and i.target != "step")

    @cached_property
    def outputs(self) -> tuple[fx.Node, ...]:
        """What others read of it. A unit that is learned has one."""
        own = set(self.nodes)
        return tuple(node for node in self.nodes if any(user not in own for user in node.users))

    @property
    def name(self) -> str:
        """Of its output, for messages."""
        return str(self.outputs[0].meta.get("module") or self.outputs[0].name)


@dataclass(frozen=True)
class ResidualBranch:
    """The nodes between `entry`, which is outside, and `exit`, which is inside."""

    entry: fx.Node
    exit: fx.Node
    members: frozenset[fx.Node]

    @property
    def attends(self) -> bool:
        return any(node.target is aten.softmax.int for node in self.members)


def units(graph: fx.Graph, sample: str, blocks: bool) -> list[Unit]:
    """A partition of the graph's calls, in an order in which they can run.

    sample: the placeholder that values flow from. blocks: whether blocks are learned as a whole; else every
    layer is learned on its own. Layers outside of blocks always are.
    """
    taken: dict[fx.Node, Unit] = {}
    order = {node: place for place, node in enumerate(graph.nodes)}
    learned: set[str] = set()

    def take(nodes: Iterable[fx.Node]) -> None:
        chosen = tuple(sorted(nodes, key=order.__getitem__))
        products = []
        for node in chosen:
            # A weight that two layers share is learned where it is met first.
            if is_layer(node) and weight_name(node) not in learned:
                learned.add(weight_name(node))
                products.append(node)
        if products:
            unit = Unit(chosen, tuple(products))
            taken.update(dict.fromkeys(chosen, unit))

    if blocks:
        flow = {n for n, names in placeholders_upstream(graph).items() if sample in names}
        for branch in _joined(_branches(graph, flow), flow, order):
            take(_with_side_values(branch.members, flow))
    for node in graph.nodes:
        if is_layer(node) and node not in taken:
            operand = node.args[0]
            own = operand.target is dgqc.site.default and set(operand.users) == {node}
            take({node, operand} if own and operand not in taken else {node})
    return _in_order(graph, taken)


def weight_name(product: fx.Node) -> str:
    """The name of a product's weight."""
    weight = product.args[1]
    assert isinstance(weight, fx.Node)
    return str(weight.target)


def _in_order(graph: fx.Graph, taken: dict[fx.Node, Unit]) -> list[Unit]:
    """Units that are learned, and runs of whatever lies between them.

    A unit stands where its last node does: all that it reads was computed before.
    """
    result: list[Unit] = []
    between: list[fx.Node] = []
    for node in graph.nodes:
        if node.op != "call_function":
            continue
        unit = taken.get(node)
        if unit is None:
            between.append(node)
        elif node is unit.nodes[-1]:
            if between:
                result.append(Unit(tuple(between), ()))
                between = []
            result.append(unit)
    return [*result, Unit(tuple(between), ())] if between else result


def _branches(graph: fx.Graph, flow: set[fx.Node]) -> list[ResidualBranch]:
    """The branch of every residual join, those that hold a weight and leave through their join alone."""
    found: networkx.DiGraph[fx.Node] = networkx.DiGraph()
    for node in graph.nodes:
        if node in flow:
            found.add_edges_from((before, node) for before in node.all_input_nodes if before in flow)
    start = next(node for node in graph.nodes if node in flow)
    if start not in found:
        return []
    dominator = networkx.immediate_dominators(found, start)
    branches = []
    for join in graph.nodes:
        if join.target is not aten.add.Tensor or join not in flow:
            continue
        if not all(isinstance(side, fx.Node) and side in flow for side in join.args[:2]):
            continue
        entry = dominator[join]
        members, stack = {join}, [join]
        while stack:
            before = {i for i in stack.pop().all_input_nodes if i in flow and i is not entry} - members
            members.update(before)
            stack.extend(before)
        branch = ResidualBranch(entry, join, frozenset(members))
        if any(is_layer(node) for node in members) and _closed(branch.members, join):
            branches.append(branch)
    return branches


def _closed(members: frozenset[fx.Node], exit: fx.Node) -> bool:
    return all(set(node.users) <= members for node in members if node is not exit)


def _joined(
    branches: Sequence[ResidualBranch], flow: set[fx.Node], order: dict[fx.Node, int]
) -> list[ResidualBranch]:
    """The innermost branches, attentions joined with what follows them in the same enclosing branch.

    So self-attention, cross-attention and feed-forward make one transformer block, which ends with the first
    part that doesn't attend; an attention that stands between ResNet blocks stays alone.
    """
    around = {branch: _enclosing(branch, branches) for branch in branches}
    inner = [branch for branch in branches if branch not in set(around.values())]
    result: list[ResidualBranch] = []
    for branch in sorted(inner, key=lambda one: order[one.exit]):
        last = result[-1] if result else None
        between = _back_to(branch.entry, last.exit) if last else None
        if last and between is not None and around[branch]:
            part = next(one for one in inner if one.exit is last.exit)
            members = last.members | branch.members | between
            if part.attends and around[branch] == around[part] and _closed(members, branch.exit):
                result[-1] = ResidualBranch(last.entry, branch.exit, members)
                continue
        result.append(branch)
    return result


def _enclosing(branch: ResidualBranch, branches: Sequence[ResidualBranch]) -> ResidualBranch | None:
    """The smallest other branch that holds this one."""
    larger = [other for other in branches if other is not branch and branch.members < other.members]
    return min(larger, key=lambda other: len(other.members), default=None)


def _back_to(node: fx.Node, target: fx.Node) -> frozenset[fx.Node] | None:
    """The sites between a value and its source, the value included; None where they lead elsewhere."""
    passed: set[fx.Node] = set()
    while node is not target:
        source = node.args[0] if node.target is dgqc.site.default else None
        if not isinstance(source, fx.Node):
            return None
        passed.add(node)
        node = source
    return frozenset(passed)


def _with_side_values(members: frozenset[fx.Node], flow: set[fx.Node]) -> set[fx.Node]:
    """The members and what only they read of values that don't come from the sample: keys, time tables."""
    found = set(members)
    stack = list(members)
    while stack:
        for node in stack.pop().all_input_nodes:
            if node in found or node in flow or node.op != "call_function" or not set(node.users) <= found:
                continue
            found.add(node)
            stack.append(node)
    return found
