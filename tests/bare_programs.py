"""Programs without ops, where only their inputs and outputs count."""

from __future__ import annotations

import torch
from torch import fx

from dgqc.ir.level import Level
from dgqc.ir.program import Input, Program
from dgqc.ir.schedule import ONE_CALL

ONE = torch.ones(1, dtype=torch.float64)


def program(inputs: tuple[Input, ...], output: tuple[int, ...], scale: float = 1.0) -> Program:
    """Takes these inputs, and answers zeros of this shape."""
    root = fx.GraphModule({}, fx.Graph())
    root.register_buffer("answer", torch.zeros(output, dtype=torch.int16))
    graph = fx.Graph()
    for name in (*(one.name for one in inputs), "step"):
        graph.placeholder(name)
    graph.output(graph.get_attr("answer"))
    made = fx.GraphModule(root, graph)
    return Program(made, Level.INTEGER, inputs, ONE_CALL, output_scale=scale * ONE)
