"""`split-start-token`: cross-attention's first key and its column of scores go a way of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import fx

from ...ir.level import Level
from ...ir.program import Program
from ..base import Pass
from ..manager.registry import register_pass
from .attention import Attention, attentions
from .edit import aten, call, clean, placeholders_upstream, propagate, shape


@register_pass
@dataclass(frozen=True)
class SplitStartToken(Pass):
    """Splits every cross-attention at the start token (DGQ section 3.3, eq. 8-9).

    The start token's scores form a peak of their own near 1. Its column of scores and its key row stay
    16 bits wide and outside of the others' groups (the released code does so for keys, the paper speaks of
    the column only); values are quantized with all rows alike, as in eq. 9. The graph computes the same.

        scores = cat(q k[0]^T, q k[1:]^T);   out = A[:, :1] v[:1] + A[:, 1:] v[1:]

    Cross-attention is where keys come from `encoder_hidden_states` alone. Without any, or with a single
    token, nothing is done, and the report says so.
    """

    name: ClassVar[str] = "split-start-token"
    takes: ClassVar[Level] = Level.CAPTURED
    leaves: ClassVar[Level] = Level.CAPTURED
    provides: ClassVar[frozenset[str]] = frozenset({"split-start-token"})

    def run(self, program: Program) -> Program:
        graph = program.graph.graph
        upstream = placeholders_upstream(graph)
        count = 0
        for attention in attentions(graph):
            keys = attention.logits[0].args[1]
            assert isinstance(keys, fx.Node)
            crosses = upstream[keys] == {"encoder_hidden_states"}
            if crosses and not attention.start and shape(keys)[-1] > 1:
                _split(graph, attention)
                count += 1
        clean(program.graph)
        result = replace(program)
        propagate(result)
        return result.with_report(self.name, {"cross_attentions": count})


def _split(graph: fx.Graph, attention: Attention) -> None:
    logits, softmax, product = attention.logits[0], attention.softmax, attention.parts[0]
    query, keys = logits.args[0], logits.args[1]
    values = product.args[1]
    assert isinstance(keys, fx.Node)
    assert isinstance(values, fx.Node)
    last = len(shape(keys)) - 1
    tokens = shape(keys)[-1]

    def cut(node: fx.Node, dimension: int, start: int, end: int, name: str) -> fx.Node:
        return call(graph, aten.slice.Tensor, (node, dimension, start, end), logits, f"{logits.name}_{name}")

    with graph.inserting_before(logits):
        start_key = cut(keys, last, 0, 1, "start_key")
        other_keys = cut(keys, last, 1, tokens, "other_keys")
        start = call(graph, aten.matmul.default, (query, start_key), logits, f"{logits.name}_start")
        others = call(graph, aten.matmul.default, (query, other_keys), logits, f"{logits.name}_others")
        scores = call(graph, aten.cat.default, ([start, others], last), logits, f"{logits.name}_scores")
    logits.replace_all_uses_with(scores)
    with graph.inserting_before(product):
        start_share = cut(softmax, last, 0, 1, "start_share")
        other_shares = cut(softmax, last, 1, tokens, "other_shares")
        start_value = cut(values, last - 1, 0, 1, "start_value")
        other_values = cut(values, last - 1, 1, tokens, "other_values")
        first = call(graph, aten.matmul.default, (start_share, start_value), product, f"{product.name}_start")
        rest = call(
            graph, aten.matmul.default, (other_shares, other_values), product, f"{product.name}_others"
        )
        total = call(graph, aten.add.Tensor, (first, rest), product, f"{product.name}_mix")
    product.replace_all_uses_with(total)
    graph.erase_node(product)
    graph.erase_node(logits)
