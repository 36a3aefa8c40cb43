"""Programs that are little more than one plan: for passes that decide about plans alone."""

from __future__ import annotations

import torch
from torch import fx

import dgqc.ir.ops  # noqa: F401  (registers the ops)
from dgqc.ir.level import Level
from dgqc.ir.plans import Plan
from dgqc.ir.program import Input, Program
from dgqc.ir.schedule import Schedule


def program_with(plan: Plan, calls: int, name: str = "site") -> Program:
    """A graph of one site that has the plan."""
    graph = fx.Graph()
    sample = graph.placeholder("sample")
    graph.placeholder("step")
    graph.output(graph.call_function(torch.ops.dgqc.site.default, (sample, name)))
    return Program(
        graph=fx.GraphModule({}, graph),
        level=Level.PLANNED,
        inputs=(Input("sample", (1, 4)),),
        schedule=Schedule("test", tuple(float(900 - 100 * call) for call in range(calls))),
        plans={name: plan},
    )


def one_site(program: Program) -> Plan:
    """The plan of the only site."""
    (plan,) = program.plans.values()
    return plan
