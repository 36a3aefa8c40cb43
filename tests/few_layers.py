"""A small program with every kind of layer, for passes that change what layers read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from golden.graphs import SCHEDULE, Sketch
from torch import fx

from dgqc.ir.calibration import Calibration, Inputs
from dgqc.ir.program import Program
from dgqc.passes.graph.edit import aten
from dgqc.passes.manager.manager import PassManager
from dgqc.passes.manager.pipeline import parse_pipeline

SITES = "insert-sites{bits=4,edges=8},merge-quantizers"
PLANNING = (
    "quantize-weights{bits=4,edges=4},observe-ranges,outlier-dims,error-groups{groups=2},choose-exponents,"
    "timestep-tables"
)


def few_layers() -> Program:
    """Two convolutions, two linears of one value and one of their sum, whose weights are nearly of rank 2."""
    torch.manual_seed(0)
    sketch = Sketch(sample=(1, 8, 4, 4))
    kernel = sketch.constant("in_weight", torch.randn(8, 8, 3, 3).tolist())
    around = ([1, 1], [1, 1], [1, 1], 1)
    first = sketch.call("in", aten.conv2d.default, sketch.inputs["sample"], kernel, None, *around)
    kernel = sketch.constant("conv_weight", torch.randn(8, 8, 3, 3).tolist())
    x = sketch.call("conv", aten.conv2d.default, first, kernel, None, *around)
    rows = sketch.call("rows", aten.permute.default, x, [0, 2, 3, 1])
    tokens = sketch.call("tokens", aten.reshape.default, rows, [-1, 16, 8])

    def linear(name: str, source: fx.Node, size: float) -> fx.Node:
        few = torch.randn(8, 2) @ torch.randn(2, 8)
        return sketch.linear(name, source, (size * (few + torch.randn(8, 8) / 16)).tolist(), [1.0] * 8)

    sides = [linear(name, tokens, 1.0) for name in ("one", "other")]
    both = sketch.call("both", aten.add.Tensor, *sides)
    program = sketch.program(linear("last", both, 4.0))

    def read(step: int) -> Iterator[Inputs]:
        for seed in range(2):
            generator = torch.Generator().manual_seed(10 * step + seed)
            yield {"sample": torch.randn(1, 8, 4, 4, generator=generator)}

    calibration = Calibration(SCHEDULE, read, synthetic=False, origin="random")
    program = replace(program, facts=frozenset({"integer-ready"}), calibration=calibration)
    return PassManager(parse_pipeline(SITES)).run(program)


def after(passes: str, facts: frozenset[str] = frozenset()) -> Program:
    """The small program behind passes. facts: that hold besides."""
    program = few_layers()
    return PassManager(parse_pipeline(passes)).run(replace(program, facts=program.facts | facts))


def output_of(program: Program, seed: int = 7) -> torch.Tensor:
    """Of its graph in floating point, at the first call."""
    sample = torch.randn(1, 8, 4, 4, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        found: torch.Tensor = fx.Interpreter(program.graph).run(sample, torch.tensor(0))
    return found
