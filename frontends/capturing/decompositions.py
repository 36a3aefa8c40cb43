"""Ops that no capture rule knows, as PyTorch itself puts them together from others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import fx
from torch.export import ExportedProgram, default_decompositions

from .registry import capture_rule_of

MOST_TURNS = 4
"""What ops are made of is made of others in turn."""


def decomposed(exported: ExportedProgram) -> ExportedProgram:
    """The program without ops that have no capture rule, as far as PyTorch decomposes them.

    What depends on constants alone is folded as it is: it needs no rule, and decomposing traces all again.
    """
    for _ in range(MOST_TURNS):
        unknown = {node.target for node in _of_inputs(exported) if capture_rule_of(node.target) is None}
        if not unknown:
            return exported  # The table takes longer to make than to ask.
        table: Mapping[Any, Any] = default_decompositions()
        known = {op: table[op] for op in table if op in unknown}
        if not known:
            return exported
        exported = exported.run_decompositions(known)
    return exported


def _of_inputs(exported: ExportedProgram) -> Iterator[fx.Node]:
    """The ops that depend on an input; weights are none."""
    depending = {
        node
        for node in exported.graph.nodes
        if node.op == "placeholder" and node.name in exported.graph_signature.user_inputs
    }
    for node in exported.graph.nodes:
        if node.op == "call_function" and not depending.isdisjoint(node.all_input_nodes):
            depending.add(node)
            yield node
