"""Finds attentions in a captured graph: matmul, (scale, bias), softmax, matmul."""

from __future__ import annotations

from dataclasses import dataclass

from torch import fx

from .edit import aten


@dataclass(frozen=True)
class Attention:
    """An attention of a captured graph.

    logits: the products of queries and transposed keys: one, or two when the start token is split off.
    softmax: its probabilities.
    parts: the products of probabilities and values: one, or two when the start token is split off.
    output: the attention's result: the product, or the sum of the two parts.
    """

    logits: tuple[fx.Node, ...]
    softmax: fx.Node
    parts: tuple[fx.Node, ...]
    output: fx.Node

    @property
    def start(self) -> bool:
        """Whether the start token stands apart."""
        return len(self.parts) == 2

    @property
    def value(self) -> fx.Node:
        """The values (..., keys, features), before any slicing."""
        value = self.parts[0].args[1]
        assert isinstance(value, fx.Node)
        if self.start:
            value = value.args[0]
        assert isinstance(value, fx.Node)
        return value


def attentions(graph: fx.Graph) -> list[Attention]:
    """All attentions, in execution order."""
    found = (match_attention(node) for node in graph.nodes if node.target is aten.softmax.int)
    return [attention for attention in found if attention is not None]


def match_attention(softmax: fx.Node) -> Attention | None:
    """The attention around a softmax node, or None where the softmax is something else."""
    logits = _logits(softmax.args[0])
    users = list(softmax.users)
    if not logits:
        return None
    if len(users) == 1 and users[0].target is aten.matmul.default and users[0].args[0] is softmax:
        return Attention(logits, softmax, (users[0],), users[0])
    if len(users) == 2 and all(user.target is aten.slice.Tensor for user in users):
        first, rest = sorted(users, key=lambda user: int(user.args[2]))  # type: ignore[arg-type]
        parts = tuple(_only_product(part) for part in (first, rest))
        if parts[0] and parts[1]:
            (total,) = parts[0].users
            if total.target is aten.add.Tensor and set(total.args[:2]) == set(parts):
                return Attention(logits, softmax, (parts[0], parts[1]), total)
    return None


def _only_product(part: fx.Node) -> fx.Node | None:
    users = list(part.users)
    if len(users) == 1 and users[0].target is aten.matmul.default and users[0].args[0] is part:
        return users[0]
    return None


def scores_of(total: fx.Node) -> fx.Node | None:
    """The side of a sum that comes from products alone: scores, to which the other side is a bias or mask."""
    sides = [side for side in total.args[:2] if isinstance(side, fx.Node)]
    return next((side for side in sides if _logits(side)), None)


def is_biased(total: fx.Node, scores: fx.Node) -> bool:
    """Whether a node is a sum of these scores and something else."""
    return total.target is aten.add.Tensor and scores_of(total) is scores


def _logits(node: object) -> tuple[fx.Node, ...]:
    """The products upstream of softmax, through scalar factors, biases and one concatenation."""
    if not isinstance(node, fx.Node):
        return ()
    if node.target is aten.matmul.default:
        return (node,)
    if node.target is aten.mul.Tensor and not isinstance(node.args[1], fx.Node):
        return _logits(node.args[0])
    if node.target is aten.add.Tensor:
        return _logits(scores_of(node))
    if node.target is aten.cat.default:
        parts = node.args[0]
        assert isinstance(parts, (list, tuple))
        return tuple(product for part in parts for product in _logits(part))
    return ()
