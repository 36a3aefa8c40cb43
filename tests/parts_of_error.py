"""Which part of a plan costs how much: rounding, clipping, weights, 16-bit values, each alone.

    PYTHONPATH=tests python tests/parts_of_error.py ["kandinsky 3"] [naive-w8a8] [SAMPLES]

takes a model of `videos.py`, simulates it on the sample that calibrated it and on another one, and prints
decibels of signal to noise of the answer; then what the float model makes of noise in its inputs.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection
from typing import Any

import torch
import videos
from torch import fx

from dgqc.compiler.driver import lower
from dgqc.compiler.request import Request
from dgqc.ir.calibration import Inputs
from dgqc.ir.plans import (
    Coding,
    Dimension,
    QuantizedActivation16,
    QuantizedOperand,
    QuantizedProbabilities,
    Role,
    Weight,
)
from dgqc.ir.program import Program
from dgqc.passes.graph.batches import arguments
from dgqc.passes.graph.edit import dgqc, module_path
from dgqc.passes.simulation.simulate import operand_axis

STEPS, OTHER_SEED, SHOWN = 2, 70_000, 8
Rounding = Callable[[torch.Tensor, Any, int], torch.Tensor]


def ends(plan: QuantizedOperand, step: int, dimensions: int) -> tuple[torch.Tensor, ...]:
    """Scales, and what the lowest and the highest codes of an operand's indices stand for."""
    by_patch = plan.operand.role is Role.CONVOLUTION and plan.dimension is Dimension.PIXEL
    assert not by_patch, "a convolution's groups of positions are quantized patch by patch"
    sizes = [1] * dimensions
    sizes[operand_axis(plan, dimensions)] = -1
    scale, zero = (table[step][plan.group].reshape(sizes).float() for table in (plan.scale, plan.zero))
    return scale, -zero * scale, (2**plan.operand.bits - 1 - zero) * scale


def clipped(value: torch.Tensor, plan: Any, step: int) -> torch.Tensor:
    if not isinstance(plan, QuantizedOperand):
        return value
    _, low, high = ends(plan, step, value.dim())
    return torch.minimum(torch.maximum(value, low), high)


def rounded(value: torch.Tensor, plan: Any, step: int) -> torch.Tensor:
    """To the nearest multiple of the scale, however far from zero."""
    if not isinstance(plan, QuantizedOperand):
        return value
    scale = ends(plan, step, value.dim())[0]
    return torch.round(value / scale) * scale


def both(value: torch.Tensor, plan: Any, step: int) -> torch.Tensor:
    return clipped(rounded(value, plan, step), plan, step)


def probabilities(value: torch.Tensor, plan: Any, step: int) -> torch.Tensor:
    if not isinstance(plan, QuantizedProbabilities):
        return value
    if plan.granularity is None:
        assert plan.scale is not None
        return dgqc.fake_quantize_static(value, torch.tensor(step), plan.scale.float(), plan.bits)
    by = dgqc.fake_quantize_log2 if plan.coding is Coding.LOG2 else dgqc.fake_quantize_uniform
    return by(value, plan.bits, plan.granularity.value)


def sixteen(value: torch.Tensor, plan: Any, step: int) -> torch.Tensor:
    """Values between layers that have one scale."""
    if not isinstance(plan, QuantizedActivation16) or plan.exponent is not None:
        return value
    scale = float(plan.scale[step])
    return torch.round(value / scale).clamp(-32768, 32767) * scale


def all_of_it(value: torch.Tensor, plan: Any, step: int) -> torch.Tensor:
    return probabilities(both(value, plan, step), plan, step)


PARTS: dict[str, tuple[Rounding | None, bool]] = {
    "all, but 16-bit values": (all_of_it, True),
    "weights": (None, True),
    "operands": (both, False),
    "operands, clipped": (clipped, False),
    "operands, rounded": (rounded, False),
    "probabilities": (probabilities, False),
    "16-bit values": (sixteen, False),
}
"""What is done to each site's value, and whether weights are quantized."""


class Simulated(fx.Interpreter):
    """The planned graph with a part of its plan. only: sites; None is all."""

    def __init__(
        self, program: Program, rounding: Rounding | None, weights: bool, only: Collection[str] | None = None
    ) -> None:
        super().__init__(program.graph)
        self.program, self.rounding, self.weights, self.only = program, rounding, weights, only
        self.step = 0

    def answer(self, inputs: Inputs, step: int) -> torch.Tensor:
        """Of the first sample."""
        return self.answers({name: value[:1] for name, value in inputs.items()}, step)

    def answers(self, inputs: Inputs, step: int) -> torch.Tensor:
        self.step = step
        with torch.no_grad():
            found = [self.run(*real, torch.tensor(step)) for real in arguments(self.program, inputs)]
        return torch.cat(found)

    def run_node(self, n: fx.Node) -> Any:
        plan = self.program.plans.get(str(n.target)) if n.op == "get_attr" and self.weights else None
        if isinstance(plan, Weight):
            return (plan.codes.double() * plan.scale.reshape(-1, *[1] * (plan.codes.dim() - 1))).float()
        if n.target is not dgqc.site.default or self.rounding is None:
            return super().run_node(n)
        ((value, name), _) = self.fetch_args_kwargs_from_env(n)
        if self.only is not None and name not in self.only:
            return value
        return self.rounding(value, self.program.plans[name], self.step)


def decibels(wanted: torch.Tensor, found: torch.Tensor) -> float:
    noise = float((wanted - found).double().square().sum())
    return 10 * math.log10(float(wanted.double().square().sum()) / max(noise, 1e-300))


def noisy(inputs: Inputs, level: float) -> dict[str, torch.Tensor]:
    """The inputs with so many decibels of white noise."""
    generator = torch.Generator().manual_seed(1)
    found = dict(inputs)
    for name, value in inputs.items():
        if value.is_floating_point() and name in ("sample", "encoder_hidden_states"):
            added = torch.randn(value.shape, generator=generator)
            found[name] = value + added * value.square().mean().sqrt() * 10 ** (-level / 20)
    return found


def planned(name: str, opt: str, samples: int, seed: int, last: str) -> Program:
    make, size = videos.MODELS[name]
    options: dict[str, Any] = {"sample_size": size, "steps": STEPS, "samples": samples, "seed": seed}
    asked = Request(
        model=make(), opt=opt, context_length=videos.TOKENS, stop_after=last, check=False, **options
    )
    return lower(asked)[0]


def worst(program: Program, inputs: Inputs, step: int, wanted: torch.Tensor) -> list[tuple[float, str]]:
    """The operands whose clipping alone costs most: decibels, and in which module."""
    found = []
    for node in program.graph.graph.nodes:
        if node.target is dgqc.site.default and isinstance(
            program.plans[str(node.args[1])], QuantizedOperand
        ):
            answer = Simulated(program, clipped, False, {str(node.args[1])}).answer(inputs, step)
            found.append((decibels(wanted, answer), module_path(node)))
    return sorted(found)[:SHOWN]


def main(name: str = "kandinsky 3", opt: str = "naive-w8a8", samples: str = "1") -> None:
    program = planned(name, opt, int(samples), 0, "timestep-tables")
    other = planned(name, opt, 1, OTHER_SEED, "insert-sites")
    for which, source in (("calibrated", program.calibration), ("another", other.calibration)):
        assert source is not None
        for step in reversed(range(STEPS)):
            inputs = {name: value[:1] for name, value in next(source.read(step)).items()}
            wanted = Simulated(program, None, False).answer(inputs, step)
            for part, (rounding, weights) in PARTS.items():
                found = Simulated(program, rounding, weights).answer(inputs, step)
                print(f"{which}, call {step}: {part} {decibels(wanted, found):.1f} dB", flush=True)
            for level in (60, 40, 30):
                found = Simulated(program, None, False).answer(noisy(inputs, level), step)
                print(f"{which}, call {step}: inputs at {level} dB give {decibels(wanted, found):.1f} dB")
    for value, path in worst(program, inputs, step, wanted):
        print(f"clipped alone, in {path}: {value:.1f} dB")


if __name__ == "__main__":
    main(*sys.argv[1:])
