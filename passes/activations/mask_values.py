"""What masks alone lead to: they hold zeros and ones, whichever of them calibration saw."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from ...ir.masks import MASKS
from ...ir.program import Program
from ..graph.edit import constant, dgqc, placeholders_upstream


def mask_values(program: Program) -> list[tuple[fx.Node, torch.Tensor]]:
    """The sites that see masks alone, each with its value where masks hide nothing, and where they hide all.

    A picture whose tokens all count says nothing of how far a hidden token's score is moved.
    """
    graph = program.graph
    upstream = placeholders_upstream(graph.graph)
    alone = [node for node in graph.graph.nodes if upstream[node] and upstream[node] <= MASKS]
    found: list[tuple[fx.Node, torch.Tensor]] = []
    for kept in (0.0, 1.0):
        values: dict[fx.Node, Any] = {}
        for node in alone:
            if node.op == "placeholder":
                values[node] = torch.full(tuple(node.meta["val"].shape), kept)
                continue
            constants = {one: constant(graph, one) for one in node.all_input_nodes if one.op == "get_attr"}
            arguments: Any = fx.node.map_arg(
                (node.args, dict(node.kwargs)), {**values, **constants}.__getitem__
            )
            assert callable(node.target)
            values[node] = node.target(*arguments[0], **arguments[1])
            if node.target is dgqc.site.default:
                found.append((node, values[node]))
    return found
