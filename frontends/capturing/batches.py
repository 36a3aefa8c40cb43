"""Finds out whether a captured graph keeps the samples of a batch apart."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx
from torch.fx.node import map_arg

from .graph_builder import aten

SMALL = 4_000_000
"""Graphs with at most this many weights are tried out."""


def mixes_samples(graph: fx.GraphModule) -> bool:
    """True when the graph must be run sample by sample.

    True where an op works along the batch dimension, where attention folds heads into it (a quantizer with
    one scale per sample would take each head for a sample), where shapes don't fit at batch 2, or, on small
    graphs, where running two samples at once gives something else than running them one by one.
    """
    if any(_touches_batch(node) for node in graph.graph.nodes) or not _fits_two(graph.graph):
        return True
    tensors = [*graph.parameters(), *graph.buffers()]
    if any(tensor.is_meta for tensor in tensors) or sum(tensor.numel() for tensor in tensors) > SMALL:
        return False
    return not _same_one_by_one(graph)


def _touches_batch(node: fx.Node) -> bool:
    if node.op != "call_function":
        return False
    arguments: Any = node.args
    if node.target is aten.matmul.default:
        return bool(node.meta["val"].dim() == 3)
    if node.target is aten.permute.default:
        return bool(arguments[1][0] != 0)
    if node.target in (aten.cat.default, aten.slice.Tensor):
        return bool(arguments[1] == 0)
    return False


def _fits_two(graph: fx.Graph) -> bool:
    """Whether shapes fit when every input but the timestep has two samples."""
    values: dict[fx.Node, torch.Tensor] = {}
    for node in graph.nodes:
        value = node.meta.get("val")
        if node.op == "placeholder":
            batch = value.shape if node.name == "timestep" else (2, *value.shape[1:])
            values[node] = value.new_empty(batch)
        elif node.op == "get_attr":
            values[node] = value
        elif node.op == "output":
            return tuple(values[node.args[0]].shape) == (2, *value.shape[1:])
        else:
            try:
                values[node] = node.target(*map_arg(node.args, values.__getitem__), **node.kwargs)
            except RuntimeError:
                return False
    return False


def _same_one_by_one(graph: fx.GraphModule) -> bool:
    generator = torch.Generator().manual_seed(0)
    pair: dict[str, torch.Tensor] = {}
    for node in graph.graph.nodes:
        if node.op == "placeholder" and node.name != "timestep":
            value = node.meta["val"]
            random = torch.rand((2, *value.shape[1:]), generator=generator)
            # Class labels: 0 is a label of every model.
            pair[node.name] = random.to(value.dtype)
    step = torch.tensor([3.0])
    with torch.no_grad():
        together = graph(timestep=step, **pair)
        for index in range(2):
            alone = graph(timestep=step, **{name: value[index : index + 1] for name, value in pair.items()})
            if not torch.allclose(together[index : index + 1], alone, rtol=1e-3, atol=1e-4):
                return False
    return True
