"""Tiny programs at each level, built by hand, that keep every rule: what tests break on purpose."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx, nn

import dgqc.ir.ops  # noqa: F401  (registers the ops)
from dgqc.ir.level import Level
from dgqc.ir.plans import (
    Activation16,
    Dimension,
    Operand,
    Plan,
    QuantizedActivation16,
    QuantizedOperand,
    Ranges,
    Role,
    Weight,
)
from dgqc.ir.program import Input, Program
from dgqc.ir.schedule import Schedule
from dgqc.ir.shapes import propagated

aten, dgqc_ops = torch.ops.aten, torch.ops.dgqc
CALLS, ROWS, CHANNELS, COLUMNS, GROUPS = 3, 5, 6, 4, 2
SCHEDULE = Schedule("DDIMScheduler", (900.0, 500.0, 100.0))
SCALE = torch.tensor([0.5, 0.25, 0.125], dtype=torch.float64)


class Maker:
    """A graph under construction; constants are named, nodes carry a module path."""

    def __init__(self) -> None:
        self.root, self.graph = nn.Module(), fx.Graph()

    def constant(self, name: str, value: torch.Tensor) -> fx.Node:
        self.root.register_buffer(name, value)
        return self.graph.get_attr(name)

    def table(self, name: str, *numbers: int) -> fx.Node:
        return self.constant(name, torch.tensor(numbers, dtype=torch.int32))

    def groups(self, name: str, number: int) -> fx.Node:
        return self.constant(name, torch.full((CALLS, GROUPS), number, dtype=torch.int32))

    def group(self, name: str, size: int) -> fx.Node:
        return self.constant(name, (torch.arange(size) % GROUPS).to(torch.uint8))

    def call(self, target: Any, *arguments: Any, module: str = "mid_block.attention") -> fx.Node:
        node = self.graph.call_function(target, arguments)
        node.meta["module"] = module
        return node

    def program(self, level: Level, output: fx.Node, **parts: Any) -> Program:
        self.graph.output(output)
        integer = level is Level.INTEGER
        program = Program(
            graph=fx.GraphModule(self.root, self.graph),
            level=level,
            inputs=(Input("sample", (1, ROWS, CHANNELS), SCALE if integer else None),),
            schedule=SCHEDULE,
            output_scale=SCALE if integer else None,
            **parts,
        )
        for node, value in propagated(program).items():
            node.meta["val"] = value
        return program


def captured() -> Program:
    """A linear, a table's row added, a gate."""
    maker = Maker()
    sample, step = maker.graph.placeholder("sample"), maker.graph.placeholder("step")
    weight, bias = (
        maker.constant("weight", torch.ones(COLUMNS, CHANNELS)),
        maker.constant("bias", torch.ones(4)),
    )
    y = maker.call(aten.linear.default, sample, weight, bias, module="proj")
    row = maker.call(dgqc_ops.at_step.default, maker.constant("rows", torch.ones(CALLS, 1, COLUMNS)), step)
    y = maker.call(aten.silu.default, maker.call(aten.add.Tensor, y, row), module="act")
    return maker.program(Level.CAPTURED, y, facts=frozenset({"folded-time"}))


def planned() -> Program:
    """A linear whose operand, weight and result have plans."""
    maker = Maker()
    sample = maker.graph.placeholder("sample")
    maker.graph.placeholder("step")
    weight = maker.constant("weight", torch.ones(COLUMNS, CHANNELS))
    x = maker.call(dgqc_ops.site.default, sample, "proj.input", module="proj")
    y = maker.call(aten.linear.default, x, weight, module="proj")
    y = maker.call(dgqc_ops.site.default, y, "proj.output", module="proj")
    ones = torch.ones(CALLS, GROUPS, dtype=torch.int64)
    plans: dict[str, Plan] = {
        "proj.input": QuantizedOperand(
            Operand(Role.LINEAR, 6, padded=False),
            Dimension.CHANNEL,
            torch.arange(CHANNELS) % GROUPS,
            SCALE,
            3 * ones,
            7 * ones,
        ),
        "proj.output": QuantizedActivation16(SCALE),
        "weight": Weight(4, torch.ones(COLUMNS, CHANNELS, dtype=torch.int8), torch.ones(COLUMNS).double()),
    }
    return maker.program(Level.PLANNED, y, plans=plans, facts=frozenset({"sites", "tables"}))


def sited() -> Program:
    """The same before anything is decided: an operand at 4 bits, 16-bit values."""
    program = planned()
    plans: dict[str, Plan] = {
        "proj.input": Operand(Role.LINEAR, 4, padded=False),
        "proj.output": Activation16(),
    }
    return Program(
        program.graph, Level.PLANNED, program.inputs, SCHEDULE, facts=frozenset({"sites"}), plans=plans
    )


def simulated() -> Program:
    """A fake-quantized operand."""
    maker = Maker()
    sample, step = maker.graph.placeholder("sample"), maker.graph.placeholder("step")
    tables = (
        maker.constant("scale", torch.ones(CALLS, GROUPS)),
        maker.constant("zero", torch.ones(CALLS, GROUPS)),
    )
    group = maker.group("group", CHANNELS)
    x = maker.call(dgqc_ops.fake_quantize.default, sample, step, *tables, group, 2, 6)
    y = maker.call(aten.linear.default, x, maker.constant("weight", torch.ones(COLUMNS, CHANNELS)))
    return maker.program(Level.SIMULATED, y)


def integer() -> Program:
    """A linear, self-attention on its result, a norm and a residual: each kind of rule at least once."""
    maker = Maker()
    sample, step = maker.graph.placeholder("sample"), maker.graph.placeholder("step")
    x = _quantized(maker, "x", sample, step, CHANNELS, 2)
    weight = torch.arange(CHANNELS * CHANNELS).reshape(CHANNELS, CHANNELS) % 15 - 7
    y = maker.call(
        dgqc_ops.linear.default,
        x[0],
        step,
        *x[1:],
        maker.constant("weight", weight.to(torch.int8)),
        maker.table("column", *range(1000, 1000 + CHANNELS)),
        maker.table("factor", *[2**29] * CALLS),
        maker.table("shift", *[8] * CALLS),
        maker.table("bias", *range(CHANNELS)),
        maker.table("bias_factor", *[2**10] * CALLS),
        maker.table("bias_shift", *[10] * CALLS),
        module="proj",
    )
    q = _quantized(maker, "q", y, step, CHANNELS, 2)
    k = _quantized(maker, "k", y, step, CHANNELS, 2)
    v = _quantized(maker, "v", y, step, CHANNELS, 2)
    factors = (maker.table("logit_factor", *[2**20] * CALLS), maker.table("logit_shift", *[10] * CALLS))
    logits = maker.call(dgqc_ops.matmul.default, q[0], k[0], step, *q[1:], *k[1:], *factors, 32)
    softmax = maker.call(dgqc_ops.softmax_log2.default, logits, 15, "row", False)
    parts = [maker.call(operator.getitem, softmax, index) for index in range(4)]
    shares = maker.table("shares", *[2 ** (15 - code) for code in range(16)])
    factors = (maker.table("mix_factor", *[2**20] * CALLS), maker.table("mix_shift", *[20] * CALLS))
    mixed = maker.call(dgqc_ops.attend.default, *parts, False, shares, 15, v[0], step, *v[1:], *factors)
    factors = (maker.table("a_factor", *[2**28] * CALLS), maker.table("b_factor", *[2**28] * CALLS))
    total = maker.call(
        dgqc_ops.add.default, mixed, y, step, *factors, maker.table("add_shift", *[29] * CALLS)
    )
    norm = maker.call(
        dgqc_ops.layer_norm.default,
        total,
        step,
        maker.table("gamma", *[2**30] * CHANNELS),
        maker.table("gamma_factor", *[2**30] * CALLS),
        maker.table("gamma_shift", *[20] * CALLS),
        maker.table("beta", *[0] * CHANNELS),
        maker.table("beta_factor", *[1] * CALLS),
        maker.table("beta_shift", *[1] * CALLS),
        maker.constant("epsilon", torch.ones(CALLS, dtype=torch.int64)),
    )
    return maker.program(Level.INTEGER, norm, report={"weight-bits": {"weight": 4}})


def _quantized(maker: Maker, name: str, x: fx.Node, step: fx.Node, size: int, axis: int) -> tuple[Any, ...]:
    group = maker.group(f"{name}_group", size)
    tables = (
        maker.groups(f"{name}_multiplier", 2**10),
        maker.groups(f"{name}_offset", 31 << 15),
        maker.groups(f"{name}_shift", 15),
    )
    codes = maker.call(dgqc_ops.quantize.default, x, step, *tables, group, axis, 6)
    return codes, maker.groups(f"{name}_zero", 31), maker.groups(f"{name}_multiple", 3), group, axis


def ranges(size: int) -> Ranges:
    """Ranges from -1 to 1 at every call."""
    return Ranges(-torch.ones(CALLS, size), torch.ones(CALLS, size))


LEVELS = {
    "captured": captured,
    "planned": planned,
    "sited": sited,
    "simulated": simulated,
    "integer": integer,
}
