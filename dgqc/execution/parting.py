"""Where the values of two programs part, or those of a program and its float model, on one call's inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from ..frontends.loading.arguments import call_arguments
from ..ir.calibration import Inputs
from ..ir.errors import DgqcError
from ..ir.ops.integer import has_weight
from ..ir.program import Program
from ..passes.graph.edit import module_path
from .boundary import to_integers
from .compiled_program import CompiledProgram
from .named_inputs import check_inputs

Values = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Parting:
    """The first place where two runs differ.

    where: an op's name, or a layer's place in the model. kind: of op. a, b: both values; of a float model and
    a program both are floats, laid out alike. decibels: signal to noise of b beside a, None where there is no
    signal, or shapes differ.
    """

    where: str
    module: str
    kind: str
    a: torch.Tensor
    b: torch.Tensor
    decibels: float | None


@dataclass(frozen=True)
class Traced:
    """One call of a program.

    ops: the value of each op, in order. layers: 16-bit results by place in the model, channels last.
    kinds, modules: of the ops.
    """

    ops: Values
    layers: Values
    kinds: Mapping[str, str]
    modules: Mapping[str, str]


def integers_for(compiled: CompiledProgram, inputs: Inputs, step: int) -> Inputs:
    """What the integer graph is called with. inputs: of the model, one sample.

    Raises DgqcError where they don't fit the program, or the step is none of its schedule.
    """
    program = compiled.program
    if not 0 <= step < len(program.schedule):
        raise DgqcError(f"Step {step} is outside the program's schedule, 0 .. {len(program.schedule) - 1}.")
    check_inputs(inputs, compiled.provenance.inputs)
    return to_integers(program, inputs, step)


def traced(compiled: CompiledProgram, inputs: Inputs, step: int) -> Traced:
    """Runs the integer graph op by op. Raises DgqcError as `integers_for` does."""
    program, integers = compiled.program, integers_for(compiled, inputs, step)
    recorder = _Recorder(program)
    with torch.no_grad():
        recorder.run(*(integers[one.name] for one in program.inputs), torch.tensor(step))
    nodes = {node.name: node for node in program.graph.graph.nodes}
    ops = recorder.values
    return Traced(
        ops,
        {
            module_path(nodes[name]): value
            for name, value in ops.items()
            if has_weight(nodes[name]) and value.dtype is torch.int16
        },
        {name: str(nodes[name].target) for name in ops},
        {name: module_path(nodes[name]) for name in ops},
    )


def float_layers(model: nn.Module, inputs: Inputs, timestep: float) -> Values:
    """Results of a float model's layers by their place in it, one sample, channels last."""
    found: Values = {}

    def note(path: str, value: Any) -> None:
        if isinstance(value, torch.Tensor) and path not in found:
            found[path] = value.permute(0, 2, 3, 1) if value.dim() == 4 else value

    def hook(path: str) -> Any:
        return lambda _module, _inputs, value: note(path, value)

    layers = {path: one for path, one in model.named_modules() if isinstance(one, nn.Linear | nn.Conv2d)}
    hooks = [one.register_forward_hook(hook(path)) for path, one in layers.items()]
    try:
        with torch.no_grad():
            model(**call_arguments(inputs, model), timestep=torch.tensor(timestep))
    finally:
        for one in hooks:
            one.remove()
    return found


def first_bits_apart(a: Traced, b: Traced) -> Parting | None:
    """The first op of the one that stands in the other too, with the same inputs' shapes, and gives other
    bits; None where all ops that both have agree. Decibels are at the scales that fit best, since a code
    stands for another number in each."""
    for name, value in a.ops.items():
        other = b.ops.get(name)
        if other is None or a.kinds[name] != b.kinds[name] or torch.equal(value, other):
            continue
        same = value.shape == other.shape
        decibels = _decibels(value.double(), _at_best_scales(value, other)) if same else None
        return Parting(name, a.modules[name], a.kinds[name], value, other, decibels)
    return None


def layers_beside(wanted: Values, integers: Values) -> dict[str, Parting]:
    """Each layer that both have, in the order of the first: floats beside codes at their best scales.

    A program keeps no scales of single values, so each channel's is the one with the least error.
    """
    found = {}
    for path, value in wanted.items():
        codes = integers.get(path)
        if codes is None or codes.numel() != value.numel():
            continue
        nearest = _at_best_scales(value, codes)
        decibels = _decibels(value.double(), nearest)
        found[path] = Parting(path, path, "layer", value.float(), nearest.float(), decibels)
    return found


def _at_best_scales(wanted: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """Float64 as `wanted`: each channel (last axis) of as many codes at the scale with the least error."""
    channels = wanted.shape[-1] if wanted.dim() else 1
    real, whole = (one.double().reshape(-1, channels) for one in (wanted, codes))
    scale = (real * whole).sum(0) / whole.square().sum(0).clamp(min=1)
    return (whole * scale).reshape(wanted.shape)


class _Recorder(fx.Interpreter):
    def __init__(self, program: Program) -> None:
        super().__init__(program.graph)
        self.values: Values = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if n.op == "call_function" and isinstance(value, torch.Tensor):
            self.values[n.name] = value
        return value


def _decibels(wanted: torch.Tensor, found: torch.Tensor) -> float | None:
    signal, noise = float(wanted.square().sum()), float((wanted - found).square().sum())
    if not signal:
        return None
    return math.inf if not noise else 10 * math.log10(signal / noise)
