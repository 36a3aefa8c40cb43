"""Programs of one op between two 16-bit values: what lowering makes of an op, by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import fx

import dgqc.ir.ops  # noqa: F401  (registers the ops)
from dgqc.ir.level import Level
from dgqc.ir.plans import Plan, QuantizedActivation16
from dgqc.ir.program import Input, Program
from dgqc.ir.schedule import Schedule
from dgqc.passes.graph.edit import propagate
from dgqc.passes.lowering.lower_integer import LowerInteger


class OneOp:
    """A planned program of one call and one op. scale: of the 16-bit input, named `sample`."""

    def __init__(self, shape: tuple[int, ...], scale: float) -> None:
        self.root, self.graph = torch.nn.Module(), fx.Graph()
        self.plans: dict[str, Plan] = {}
        self.input = Input("sample", shape)
        sample = self.graph.placeholder("sample")
        step = self.graph.placeholder("step")
        step.meta["val"] = torch.empty((), dtype=torch.int64)
        self.sample = self.site(sample, "sample.output", QuantizedActivation16(one(scale)))

    def site(self, x: fx.Node, name: str, plan: Plan) -> fx.Node:
        """The value with a plan."""
        self.plans[name] = plan
        return self.graph.call_function(torch.ops.dgqc.site.default, (x, name))

    def constant(self, name: str, value: torch.Tensor) -> fx.Node:
        """A float constant; a weight's plan goes to `plans` under its name."""
        self.root.register_buffer(name, value)
        return self.graph.get_attr(name)

    def lower(
        self, target: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], scale: float
    ) -> fx.GraphModule:
        """The integer graph of the op, from an int16 input and a step to an int16 result with this scale."""
        result = self.graph.call_function(target, args, dict(kwargs))
        self.graph.output(self.site(result, "result.output", QuantizedActivation16(one(scale))))
        program = Program(
            graph=fx.GraphModule(self.root, self.graph),
            level=Level.PLANNED,
            inputs=(self.input,),
            schedule=Schedule("one call", (0.0,)),
            plans=self.plans,
        )
        propagate(program)
        return LowerInteger().run(program).graph


def one(value: float) -> torch.Tensor:
    """A table of one call."""
    return torch.tensor([value], dtype=torch.float64)
