"""What a bundle's integer graph says of each layer: bytes, codes of its weights, steps of its groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import fx

from ..ir.nodes import argument
from ..ir.ops.integer import has_weight, product_of
from ..ir.program import Program
from ..ir.storage.program_schema import WEIGHT_BITS
from ..passes.graph.edit import constant, module_path


@dataclass(frozen=True)
class LayerFacts:
    """One layer with weights.

    path: its place in the model. kind: of product. bits: of its weights. size: of them, in bytes as they are
    stored. lowest, counts: how often each code stands among them, from the lowest on. steps: for each call
    how coarse each group of its operand is rounded, in multiples of the operand's base.
    """

    path: str
    kind: str
    bits: int
    size: int
    lowest: int
    counts: Sequence[int]
    steps: Sequence[Sequence[int]]


def layers_of(program: Program) -> list[LayerFacts]:
    """The layers in the order in which they run.

    Those that share a place in the model, as branches do with the layer that they stand beside, have the end
    of their node's name behind it: `mid.conv1 (narrow)`.
    """
    nodes = [node for node in program.graph.graph.nodes if has_weight(node)]
    found = [_facts(program, node) for node in nodes]
    often = Counter(one.path for one in found)
    return [
        one if often[one.path] == 1 else replace(one, path=_apart(one.path, node.name))
        for one, node in zip(found, nodes, strict=True)
    ]


def _apart(path: str, name: str) -> str:
    last = name.rpartition("_")[2]
    return path if path.endswith(f".{last}") or path == last else f"{path} ({last})"


def _facts(program: Program, node: fx.Node) -> LayerFacts:
    product = product_of(node)
    assert product is not None
    assert product.weight is not None
    holder = argument(node, product.weight)
    weight = constant(program.graph, holder)
    bits = int(program.report.get(WEIGHT_BITS, {}).get(str(holder.target), 8))
    lowest = int(weight.min())
    counts = torch.bincount((weight.to(torch.int64) - lowest).flatten())
    multiple = argument(node, f"{product.operands[0].prefix}multiple")
    steps = constant(program.graph, multiple).tolist() if isinstance(multiple, fx.Node) else []
    kind = str(node.target).split(".")[1]
    return LayerFacts(
        module_path(node), kind, bits, weight.numel() * bits // 8, lowest, counts.tolist(), steps
    )
