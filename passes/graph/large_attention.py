"""Attentions whose scores are never held: which they are. Who computes them is a BlockInterpreter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import fx

from ...ir.plans import Granularity, ObservedProbabilities, Plan, Probabilities, QuantizedProbabilities
from .edit import aten, dgqc

LARGE = 2**25
"""Attentions with more scores than this are taken in blocks: whole, they fill gigabytes several times."""
BLOCK = 2**20
"""Scores of a block: little enough to stay in the cache."""


def never_held(graph: fx.Graph, plans: Mapping[str, Plan]) -> frozenset[fx.Node]:
    """For one sample: large scores, and what they become up to the product that reads them."""
    found = set[fx.Node]()
    for node in graph.nodes:
        if node.target is not aten.matmul.default or "val" not in node.meta:
            continue
        reader = reader_of_rows(node, tuple(one.meta["val"] for one in node.args), plans)
        while reader is not None and node is not reader:
            found.add(node)
            (node,) = node.users
    return frozenset(found)


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
        if not (scales or softens or _is_site_of_probabilities(user, plans) or _rounds_rows(user)):
            return None
        node, normalized = user, normalized or softens
    return None


def _is_site_of_probabilities(node: fx.Node, plans: Mapping[str, Plan]) -> bool:
    """Whether a node is a site of probabilities, which may be looked at in parts."""
    if node.target is not dgqc.site.default:
        return False
    plan = plans.get(str(node.args[1]))
    return isinstance(plan, Probabilities | ObservedProbabilities | QuantizedProbabilities)


def _rounds_rows(node: fx.Node) -> bool:
    """Whether a simulated node rounds probabilities, those of each row by themselves."""
    ops = (dgqc.fake_quantize_log2.default, dgqc.fake_quantize_uniform.default)
    return node.target in ops and node.args[2] == Granularity.ROW.value


def _scores(args: tuple[Any, ...]) -> int:
    left, right = args
    return int(left.numel() // left.shape[-1] * right.shape[-1])
