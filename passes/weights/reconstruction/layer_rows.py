"""What meets a layer's weight, as rows of a matrix: of each chunk of samples, a span of inputs at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import fx

from ....ir.moving import moved
from ....ir.ops.simulate import patches_of
from ...graph.edit import aten, constant, dgqc
from .blocks import weight_name
from .evaluate import Quantizers, by_output_position
from .learn import FLOAT, QUANTIZED, Task


@dataclass(frozen=True)
class Span:
    """Inputs of a layer that are looked at together: channels first .. last - 1, columns of its weight as a
    matrix. A channel of a convolution is as many columns as its kernel has places."""

    channels: slice
    columns: slice


@dataclass(frozen=True)
class LayerRows:
    """x and y of a layer y = x w: x as the quantized network has it, y from the float one, without bias.

    most: rows of a chunk, drawn at random where there are more.
    """

    task: Task
    product: fx.Node
    most: int

    @cached_property
    def weight(self) -> torch.Tensor:
        """Float, as the model has it, where float work is computed."""
        node = self.product.args[1]
        assert isinstance(node, fx.Node)
        return moved(constant(self.task.evaluator.module, node).detach())

    @property
    def matrix(self) -> torch.Tensor:
        """The weight as float (N, inputs)."""
        return self.weight.reshape(len(self.weight), -1)

    @property
    def name(self) -> str:
        """The weight's."""
        return weight_name(self.product)

    @property
    def site(self) -> fx.Node:
        """Where x stands in the graph."""
        return self.product.all_input_nodes[0]

    @property
    def chunks(self) -> int:
        """How many chunks of samples there are rows of."""
        return len(self.task.samples.steps)

    def spans(self, size: int) -> list[Span]:
        """All inputs in spans of at most so many, or of a channel each where that has more."""
        places = self.weight[0, 0].numel()
        channels = max(1, size // places)
        found = []
        for first in range(0, self.weight.shape[1], channels):
            last = min(first + channels, self.weight.shape[1])
            found.append(Span(slice(first, last), slice(first * places, last * places)))
        return found

    def inputs(self, chunk: int, span: Span) -> torch.Tensor:
        """x, float32 (rows, size of the span)."""
        task, site = self.task, self.site
        quantizers = Quantizers(task.plans)
        step = task.samples.steps[chunk]
        before = [node for node in task.unit.nodes if node is not self.product]
        given = task.samples.inputs(task.unit, chunk, QUANTIZED)
        x = {**given, **task.evaluator.run(before, given, step, {}, quantizers, (site,))}[site]
        if self.product.target is aten.conv2d.default:
            stride, padding = self.product.args[3], self.product.args[4]
            x = patches_of(x[:, span.channels], self.weight, stride, padding)  # type: ignore[arg-type]
            name = str(site.args[1])
            if site.target is dgqc.site.default and by_output_position(task.plans[name]):
                x = quantizers(name, x, moved(torch.tensor(step)), axis=2)
            x = x.transpose(1, 2)
        else:
            x = x[..., span.channels]
        return self._some(x.reshape(-1, x.shape[-1]), chunk)

    def targets(self, chunk: int) -> torch.Tensor:
        """y, float32 (rows, N)."""
        y = self.task.samples.read(chunk, FLOAT, self.product, None)
        if self.product.target is aten.conv2d.default:
            y = y.permute(0, 2, 3, 1)
        y = y.reshape(-1, y.shape[-1])
        bias = self.product.args[2] if len(self.product.args) > 2 else None
        if isinstance(bias, fx.Node):
            y = y - moved(constant(self.task.evaluator.module, bias).detach())
        return self._some(y, chunk)

    def _some(self, rows: torch.Tensor, chunk: int) -> torch.Tensor:
        """The same rows of all that a chunk has."""
        if len(rows) <= self.most:
            return rows
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(chunk))
        return rows[order[: self.most].to(rows.device)]
