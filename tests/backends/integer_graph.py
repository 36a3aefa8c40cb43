"""Integer graphs built by hand, with random constants in the ranges that lowering keeps to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx

from dgqc.ir.level import Level
from dgqc.ir.program import Input, Program
from dgqc.ir.schedule import Schedule

dgqc = torch.ops.dgqc


def pick(
    generator: torch.Generator, low: int, high: int, *shape: int, dtype: Any = torch.int32
) -> torch.Tensor:
    """Random integers low .. high."""
    return torch.randint(low, high + 1, shape, generator=generator, dtype=torch.int64).to(dtype)


@dataclass
class IntegerGraph:
    """A graph under construction. steps: T. seed: of all its constants."""

    steps: int = 2
    seed: int = 0
    weight_bits: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.graph = fx.Graph()
        self.root = torch.nn.Module()
        self.inputs: list[Input] = []
        self.step: fx.Node
        self.random = torch.Generator().manual_seed(self.seed)

    def take(self, **shapes: tuple[int, ...]) -> list[fx.Node]:
        """The placeholders, all at once since `step` comes last."""
        nodes = [self.graph.placeholder(name) for name in shapes]
        self.inputs = [Input(name, shape) for name, shape in shapes.items()]
        self.step = self.graph.placeholder("step")
        return nodes

    def constant(self, value: torch.Tensor) -> fx.Node:
        name = f"constant_{len(list(self.root.buffers()))}"
        self.root.register_buffer(name, value)
        return self.graph.get_attr(name)

    def table(self, low: int, high: int, *shape: int, dtype: Any = torch.int32) -> fx.Node:
        return self.constant(pick(self.random, low, high, *shape, dtype=dtype))

    def call(self, target: Any, *args: Any) -> fx.Node:
        return self.graph.call_function(target, args)

    def group(self, size: int, groups: int) -> fx.Node:
        return self.table(0, groups - 1, size, dtype=torch.uint8)

    def quantized(
        self, x: fx.Node, size: int, axis: int, bits: int, groups: int, beyond: int = 5, most: int = 9
    ) -> tuple[Any, ...]:
        """codes, zero, multiple, group and axis of an int16 value.

        beyond: how far zeros may lie outside the codes. most: the largest multiple.
        """
        zero = pick(self.random, -beyond, 2**bits - 1 + beyond, self.steps, groups)
        shift = pick(self.random, 14, 20, self.steps, groups)
        half = torch.ones_like(shift) << (shift - 1)
        multiplier, offset = pick(self.random, 1, 2**14, self.steps, groups), (zero << shift) + half
        group = self.group(size, groups)
        tables = (self.constant(multiplier), self.constant(offset), self.constant(shift), group)
        codes = self.call(dgqc.quantize.default, x, self.step, *tables, axis, bits)
        return codes, self.constant(zero), self.table(1, most, self.steps, groups), group, axis

    def epilogue(self, columns: int) -> tuple[fx.Node, ...]:
        """column, factor, shift, bias, bias_factor, bias_shift; small sums and saturated ones both occur."""
        return (
            self.table(0, 2**31 - 1, columns),
            self.table(2**24, 2**26, self.steps),
            self.table(24, 44, self.steps),
            self.table(-(2**31) + 1, 2**31 - 1, columns),
            self.table(2**20, 2**28, self.steps),
            self.table(12, 24, self.steps),
        )

    def weight(self, bits: int, *shape: int) -> fx.Node:
        node = self.table(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, *shape, dtype=torch.int8)
        self.weight_bits[str(node.target)] = bits
        return node

    def finish(self, output: fx.Node) -> Program:
        self.graph.output(output)
        return Program(
            graph=fx.GraphModule(self.root, self.graph),
            level=Level.INTEGER,
            inputs=tuple(self.inputs),
            schedule=Schedule("test", tuple(float(999 - i) for i in range(self.steps))),
            report={"weight-bits": self.weight_bits},
        )

    def values(self, *shape: int) -> torch.Tensor:
        """An int16 input with extremes in it."""
        tensor = pick(self.random, -32768, 32767, *shape)
        flat = tensor.view(-1)
        flat[: min(2, len(flat))] = torch.tensor([-32768, 32767])[: len(flat)].to(torch.int32)
        return tensor.to(torch.int16)
