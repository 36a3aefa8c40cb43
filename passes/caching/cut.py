"""Where a network can be cut: one value that, once known, spares most of the multiply-adds."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from torch import fx

from ...ir.ops.captured import multiply_adds, product_kind, products_in


@dataclass(frozen=True)
class Cut:
    """A value that a call may take from an earlier one.

    node: gives it. shallow, whole: multiply-adds of a call that takes it, and of one that computes it.
    """

    node: fx.Node
    shallow: int
    whole: int


def best_cut(graph: fx.Graph, values: Iterable[fx.Node], seen: Collection[str]) -> Cut | None:
    """The value that leaves a call the fewest multiply-adds, the last of several; None where none will do.

    A call that takes it must still see the sample: what is computed from the sample besides, and the value,
    must meet in front of a product. In a UNet that is what comes up from below to the last stage: the
    shortest skip connection goes around all the rest.

    graph: of a float level, with `meta["val"]`. values: that may be taken. seen: names of inputs, of which
    the sample is one.
    """
    whole = multiply_adds(graph)
    places = {node: place for place, node in enumerate(graph.nodes)}
    best: Cut | None = None
    for value in sorted(values, key=places.__getitem__, reverse=True):
        needed, shallow = _needed(graph, value, whole if best is None else best.shallow)
        if needed is None or shallow >= (whole if best is None else best.shallow):
            continue
        if _sample_meets(sorted(needed, key=places.__getitem__), value, seen):
            best = Cut(value, shallow, whole)
    return best


def _needed(graph: fx.Graph, value: fx.Node, most: int) -> tuple[set[fx.Node] | None, int]:
    """What the output needs besides the value, with its multiply-adds; None where these are too many, or the
    value is not needed."""
    found: set[fx.Node] = set()
    stack, products, met = [next(node for node in graph.nodes if node.op == "output")], 0, False
    while stack:
        node = stack.pop()
        met |= node is value
        if node is value or node in found:
            continue
        found.add(node)
        products += products_in(node) if product_kind(node) is not None else 0
        if products >= most:
            return None, products
        stack.extend(node.all_input_nodes)
    return (found if met else None), products


def _sample_meets(nodes: list[fx.Node], value: fx.Node, seen: Collection[str]) -> bool:
    """Whether a product reads both the value and the sample, each by its own way. nodes: in order."""
    of_value, of_sample = {value}, set[fx.Node]()
    for node in nodes:
        if node.op == "placeholder" and str(node.target) in seen:
            of_sample.add(node)
        for family in (of_value, of_sample):
            if any(source in family for source in node.all_input_nodes):
                family.add(node)
        if product_kind(node) is not None and node in of_value and node in of_sample:
            return True
    return False
