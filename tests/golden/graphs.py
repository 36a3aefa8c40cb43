"""Small programs by hand, of numbers exact in binary, so that texts don't depend on the machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import fx

from dgqc.ir.calibration import Calibration, Inputs
from dgqc.ir.level import Level
from dgqc.ir.plans import (
    Activation16,
    Coding,
    Dimension,
    Granularity,
    ObservedActivation16,
    Operand,
    Plan,
    Probabilities,
    QuantizedActivation16,
    QuantizedOperand,
    QuantizedProbabilities,
    Role,
    Weight,
)
from dgqc.ir.program import Input, Program
from dgqc.ir.sampler import OUTPUT, STATE, Combination, Sampler, Term
from dgqc.ir.schedule import Schedule
from dgqc.passes.graph.edit import propagate
from dgqc.passes.graph.insert_sites import InsertSites
from dgqc.passes.graph.merge_quantizers import MergeQuantizers

aten, dgqc = torch.ops.aten, torch.ops.dgqc
SCHEDULE = Schedule("DDIMScheduler", (8.0, 4.0))
OUTPUT_SCALE = torch.tensor([2.0**-8, 2.0**-9], dtype=torch.float64)


class Sketch:
    """A graph at the captured level under construction. time: the last placeholder, "step" or "timestep"."""

    def __init__(self, time: str = "step", **inputs: tuple[int, ...]) -> None:
        self.root, self.graph = torch.nn.Module(), fx.Graph()
        self.inputs = {name: self.graph.placeholder(name) for name in inputs}
        self.shapes = inputs
        self.time = self.graph.placeholder(time)
        is_step = time == "step"
        dtype = torch.int64 if is_step else torch.float32
        self.time.meta["val"] = torch.empty(() if is_step else (1,), dtype=dtype, device="meta")

    def constant(self, name: str, values: list[Any]) -> fx.Node:
        self.root.register_buffer(name, torch.tensor(values, dtype=torch.float32))
        return self.graph.get_attr(name)

    def call(self, name: str, target: Any, *arguments: Any) -> fx.Node:
        node = self.graph.create_node("call_function", target, arguments, name=name)
        node.meta["module"] = f"block.{name}"
        return node

    def linear(
        self, name: str, x: fx.Node, weight: list[list[float]], bias: list[float] | None = None
    ) -> fx.Node:
        weights = self.constant(f"{name}_weight", weight)
        offsets = [] if bias is None else [self.constant(f"{name}_bias", bias)]
        return self.call(name, aten.linear.default, x, weights, *offsets)

    def program(self, output: fx.Node) -> Program:
        self.graph.output(output)
        program = Program(
            graph=fx.GraphModule(self.root, self.graph),
            level=Level.CAPTURED,
            inputs=tuple(Input(name, shape) for name, shape in self.shapes.items()),
            schedule=SCHEDULE,
        )
        propagate(program)
        return program


def dense() -> Program:
    """A linear and a gate."""
    sketch = Sketch(sample=(1, 2, 4))
    y = sketch.linear("proj", sketch.inputs["sample"], [[1, -2, 3, 0.5], [4, 0, -1, 2]], [0.625, -1.5])
    return sketch.program(sketch.call("act", aten.silu.default, y))


def two_layers() -> Program:
    """A linear of 8 weights, and one of 4 behind it."""
    sketch = Sketch(sample=(1, 2, 4))
    y = sketch.linear("proj", sketch.inputs["sample"], [[1.25, -2, 3, 0.5], [4, 0.75, -1, 2]])
    return sketch.program(sketch.linear("last", y, [[1.375, -2], [0.5, 1.125]]))


def geglu() -> Program:
    """A linear whose second half of columns gates the first, and a linear of the product."""
    sketch = Sketch(sample=(1, 2, 2))
    weight = [[1.0, -2], [3, 0.5], [4, 0], [-1, 2], [2, 1], [-3, 1], [0, -1], [1, 1]]
    both = sketch.linear("up", sketch.inputs["sample"], weight, [0.625, -1.5, 0.25, 1, -0.5, 0, 2, -1])
    value = sketch.call("value", aten.slice.Tensor, both, 2, 0, 4)
    gate = sketch.call("gate", aten.gelu.default, sketch.call("gates", aten.slice.Tensor, both, 2, 4, 8))
    gated = sketch.call("gated", aten.mul.Tensor, value, gate)
    return sketch.program(sketch.linear("down", gated, [[1, -2, 3, 0.5], [4, 0, -1, 2]]))


def convolution() -> Program:
    """2 x 2 pixels, a kernel of 2 x 2 at stride 2, padding all around."""
    sketch = Sketch(sample=(1, 1, 2, 2))
    weight = sketch.constant("conv_weight", [[[[1, 2], [-1, 0]]]])
    window = ([2, 2], [1, 1], [1, 1], 1)
    return sketch.program(
        sketch.call("conv", aten.conv2d.default, sketch.inputs["sample"], weight, None, *window)
    )


def tall() -> Program:
    """16 lines of 128 pixels through a convolution that sees the lines above and below, and a norm."""
    sketch = Sketch(sample=(1, 1, 16, 128))
    weight = sketch.constant("conv_weight", [[[[1], [2], [-1]]]])
    window = ([1, 1], [1, 0], [1, 1], 1)
    x = sketch.call("conv", aten.conv2d.default, sketch.inputs["sample"], weight, None, *window)
    gain, offset = sketch.constant("norm_gain", [2]), sketch.constant("norm_offset", [1])
    return sketch.program(sketch.call("norm", aten.group_norm.default, x, 1, gain, offset, 1e-5))


def picture() -> Program:
    """An image through a convolution, a linear over its pixels as tokens, and a sum with what came in."""
    sketch = Sketch(sample=(1, 2, 2, 3))
    sample = sketch.inputs["sample"]
    weight = sketch.constant("conv_weight", [[[[1, 2]], [[-1, 0]]], [[[3, 1]], [[0, -2]]]])
    x = sketch.call("conv", aten.conv2d.default, sample, weight, None, [1, 1], [0, 0], [1, 1], 1)
    rows = sketch.call("rows", aten.permute.default, x, [0, 2, 3, 1])
    tokens = sketch.call("tokens", aten.reshape.default, rows, [-1, 4, 2])
    y = sketch.linear("proj", tokens, [[1, -2], [4, 0]])
    back = sketch.call("back", aten.reshape.default, y, [-1, 2, 2, 2])
    image = sketch.call("image", aten.permute.default, back, [0, 3, 1, 2])
    return sketch.program(sketch.call("sum", aten.add.Tensor, image, x))


def uneven() -> Program:
    """An image whose channels are as unlike as a residual stream's: through an activation function, a sum, a
    concatenation with what came in, and a norm of two groups."""
    sketch = Sketch(sample=(1, 2, 2, 2))
    sample = sketch.inputs["sample"]
    rest = (None, [1, 1], [0, 0], [1, 1], 1)
    up = sketch.constant("up_weight", [[[[1024]], [[512]]], [[[1]], [[-2]]]])
    x = sketch.call("up", aten.conv2d.default, sample, up, *rest)
    x = sketch.call("sum", aten.add.Tensor, x, sketch.call("act", aten.silu.default, x))
    both = sketch.call("both", aten.cat.default, [x, sample], 1)
    gain = sketch.constant("norm_gain", [1, 64, 2, 0.5])
    offset = sketch.constant("norm_offset", [0.0, 1, -1, 0])
    norm = sketch.call("norm", aten.group_norm.default, both, 2, gain, offset, 1e-5)
    down = sketch.constant("down_weight", [[[[1]], [[2]], [[-1]], [[3]]]])
    return sketch.program(sketch.call("down", aten.conv2d.default, norm, down, *rest))


HIGH = {
    "sample": [16.0, 32],
    "up": [16384.0, 32],
    "act": [16384.0, 32],
    "sum_1": [32768.0, 64],
    "both": [32768.0, 64, 16, 32],
    "norm": [2.0, 64, 4, 1],
    "down": [128.0],
}
"""What `uneven` is said to have shown of its channels at the first call, twice as much at the second."""


def seen_uneven() -> Program:
    """`uneven` with the ranges of its 16-bit values, and samples."""
    program = calibrated(sited(uneven()))
    seen = {
        f"{name}.output": ObservedActivation16(torch.tensor([high, [2 * one for one in high]]))
        for name, high in HIGH.items()
    }
    return replace(program, plans={**program.plans, **seen})


def attention(crossing: bool) -> Program:
    """Two queries over three keys, one head of two features."""
    shapes = {"encoder_hidden_states": (1, 3, 2)} if crossing else {}
    sketch = Sketch(sample=(1, 2, 2), **shapes)  # type: ignore[arg-type]
    x = sketch.inputs["sample"]
    context = sketch.inputs["encoder_hidden_states"] if crossing else x
    query = sketch.linear("to_q", x, [[1, 2], [-1, 3]])
    key = sketch.linear("to_k", context, [[2, 0], [1, -1]])
    value = sketch.linear("to_v", context, [[3, 1], [0, 2]])
    scores = sketch.call(
        "scores", aten.matmul.default, query, sketch.call("turned", aten.permute.default, key, [0, 2, 1])
    )
    softmax = sketch.call(
        "softmax", aten.softmax.int, sketch.call("scaled", aten.mul.Tensor, scores, 0.5), -1
    )
    mixed = sketch.call("mixed", aten.matmul.default, softmax, value)
    return sketch.program(sketch.call("residual", aten.add.Tensor, mixed, x))


def sited(program: Program, merged: bool = True) -> Program:
    """With sites of 4 bits."""
    for item in (InsertSites(4, 8), *([MergeQuantizers()] if merged else [])):
        program = replace(item.run(program), level=item.leaves)
    return replace(program, report={})


def decided(program: Program) -> Program:
    """Every plan made by hand: two groups that alternate, the second a multiple of the first."""
    plans: dict[str, Plan] = {}
    for node in program.graph.graph.nodes:
        if node.target is dgqc.site.default:
            name = str(node.args[1])
            plans[name] = _decide(program.plans[name], tuple(node.meta["val"].shape))
        elif node.op == "get_attr" and str(node.target).endswith("weight"):
            weight = getattr(program.graph, str(node.target))
            scale = torch.full((len(weight),), 0.375, dtype=torch.float64)
            plans[str(node.target)] = Weight(4, (weight * 2).clamp(-8, 7).to(torch.int8), scale)
    return replace(program, plans=plans)


def _decide(plan: Plan, shape: tuple[int, ...]) -> Plan:
    if isinstance(plan, Probabilities):
        return QuantizedProbabilities(plan.bits, Coding.LOG2, Granularity.ROW, None)
    if isinstance(plan, Activation16):
        return QuantizedActivation16(OUTPUT_SCALE)
    assert isinstance(plan, Operand)
    axis = {Role.CONVOLUTION: 1, Role.RIGHT: len(shape) - 2}.get(plan.role, len(shape) - 1)
    group = torch.arange(shape[axis]) % 2
    groups = int(group.max()) + 1
    multiple, zero = torch.tensor([[1, 3], [1, 2]])[:, :groups], torch.tensor([[7, 8], [0, 15]])[:, :groups]
    base = torch.tensor([0.25, 0.125], dtype=torch.float64)
    return QuantizedOperand(plan, Dimension.CHANNEL, group, base, multiple, zero)


def calibrated(program: Program) -> Program:
    """Two batches of whole numbers for each call."""
    shape = program.inputs[0].shape
    count = torch.Size(shape).numel()

    def read(step: int) -> Iterator[Inputs]:
        for sign in (1.0, -3.0):
            yield {"sample": sign * (step + 1) * torch.arange(count, dtype=torch.float32).reshape(shape)}

    return replace(program, calibration=Calibration(SCHEDULE, read, synthetic=False, origin="whole numbers"))


def drawn(program: Program) -> Program:
    """Samples of one row, and a scheduler that takes half of the output from the picture."""
    given = calibrated(program).calibration
    assert given is not None
    both = Combination({Term(STATE, 0): 1.0, Term(OUTPUT, 0): -0.5})
    sampler = Sampler((1.0, 0.5), 1.0, ((0.0, 1.0), None), ((both,), (both,)), None)
    return replace(program, calibration=replace(given, sampler=lambda: sampler))


def prompts(program: Program, *first: list[float]) -> Calibration:
    """Contexts of whole numbers whose first tokens are these, one prompt after the other, at both calls."""

    def read(step: int) -> Iterator[Inputs]:
        for number, row in enumerate(first):
            rest = torch.arange(4, dtype=torch.float32).reshape(1, 2, 2) + number
            context = torch.cat([torch.tensor([[row]]), rest], dim=1)
            yield {"sample": torch.ones(program.inputs[0].shape), "encoder_hidden_states": context}

    return Calibration(SCHEDULE, read, synthetic=False, origin="whole numbers")
