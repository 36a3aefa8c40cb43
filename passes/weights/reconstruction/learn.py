"""Learns one unit: the rounding of its weights, and the scales of its activations where asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import fx, nn

from ....ir.devices import CPU
from ....ir.moving import moved
from ....ir.parallel import side_by_side
from ....ir.plans import Plan, QuantizedOperand, QuantizedProbabilities, Weight
from ...graph.edit import constant, dgqc
from .adaround import Rounding, value
from .blocks import Unit, weight_name
from .cache import Learned
from .evaluate import Evaluator, Quantizers
from .losses import annealed, distance, rounding_penalty
from .settings import LearningSettings

FLOAT, QUANTIZED = "float", "quantized"
"""The two networks that values come from."""

FACTORS = (0.1, 10.0)
"""Learned factors of scales stay within these."""


@dataclass(frozen=True)
class Samples:
    """What a unit is learned on.

    steps: the UNet call of each chunk of samples. sizes: samples in each.
    read: `read(chunk, network, node, rows)` gives a value's samples, all of them for None, on the device that
    computes. rows: on the CPU.
    """

    steps: Sequence[int]
    sizes: Sequence[int]
    read: Callable[[int, str, fx.Node, torch.Tensor | None], torch.Tensor]

    def inputs(
        self, unit: Unit, chunk: int, network: str, rows: torch.Tensor | None = None
    ) -> dict[fx.Node, torch.Tensor]:
        """The unit's inputs."""
        return {node: self.read(chunk, network, node, rows) for node in unit.inputs}


@dataclass(frozen=True)
class Task:
    """A unit with all that is known when its turn comes. plans: of sites and weights, by name."""

    unit: Unit
    evaluator: Evaluator
    plans: Mapping[str, Plan]
    samples: Samples
    settings: LearningSettings

    @property
    def output(self) -> fx.Node:
        """What is to stay as it was."""
        (output,) = self.unit.outputs
        return output

    @property
    def weights(self) -> dict[str, Weight]:
        """The plans of all weights that the unit reads."""
        read = (str(i.target) for node in self.unit.nodes for i in node.all_input_nodes if i.op == "get_attr")
        return {name: plan for name in read if isinstance(plan := self.plans.get(name), Weight)}


@dataclass(frozen=True)
class Variables:
    """What gradients change. roundings: by weight. factors: float32 (1,) or (T,), by site."""

    roundings: dict[str, Rounding] = field(default_factory=dict)
    factors: dict[str, torch.Tensor] = field(default_factory=dict)


def learn(task: Task, seed: int, tick: Callable[[], object]) -> Learned:
    """The unit's codes and factors after gradient descent, or those it came with where they are no worse.

    tick: called after every iteration.
    """
    settings = task.settings
    variables = Variables(
        _roundings(task) if settings.weights else {}, _factors(task) if settings.scales else {}
    )
    generator = torch.Generator().manual_seed(seed)
    with torch.enable_grad():
        optimizers = _optimizers(variables, settings)
        for iteration in range(settings.iterations if optimizers else 0):
            for optimizer, _ in optimizers:
                optimizer.zero_grad()
            _loss(task, variables, iteration, generator).backward()  # type: ignore[no-untyped-call]
            for optimizer, schedule in optimizers:
                optimizer.step()
                schedule.step()
            with torch.no_grad():
                for factor in variables.factors.values():
                    factor.clamp_(*FACTORS)
            tick()
    found = {name: rounding.hard() for name, rounding in variables.roundings.items()}
    factors = {name: factor.detach().to(CPU, torch.float64) for name, factor in variables.factors.items()}
    before, after = error(task, {}, {}), error(task, found, factors)
    if not after < before:
        return Learned({name: task.weights[name].codes for name in found}, {}, before, before)
    return Learned({name: plan.codes for name, plan in found.items()}, factors, before, after)


def error(task: Task, weights: Mapping[str, Weight], factors: Mapping[str, torch.Tensor]) -> float:
    """The distance of the unit's output from the float network's, over all samples, everything rounded.

    weights, factors: in the place of what plans say.
    """
    values = {name: value(plan) for name, plan in {**task.weights, **weights}.items()}
    quantizers = Quantizers(task.plans, factors) if task.settings.activations else None
    samples = task.samples

    def of_chunk(chunk: int) -> float:
        inputs = samples.inputs(task.unit, chunk, QUANTIZED)
        nodes, step = task.unit.nodes, samples.steps[chunk]
        found = task.evaluator.run(nodes, inputs, step, values, quantizers)[task.output]
        wanted = samples.read(chunk, FLOAT, task.output, None)
        return float(distance(found, wanted, task.settings.power)) * samples.sizes[chunk]

    with torch.no_grad():
        return sum(side_by_side(of_chunk, range(len(samples.steps)))) / sum(samples.sizes)


def sites(unit: Unit) -> list[str]:
    """The names of the sites inside."""
    return [str(node.args[1]) for node in unit.nodes if node.target is dgqc.site.default]


def _loss(task: Task, variables: Variables, iteration: int, generator: torch.Generator) -> torch.Tensor:
    """Of one batch, drawn from one UNet call: tables have a row per call."""
    unit, samples, settings = task.unit, task.samples, task.settings
    chunk = int(torch.randint(len(samples.steps), (), generator=generator))
    rows = torch.randperm(samples.sizes[chunk], generator=generator)[: settings.batch]
    step = samples.steps[chunk]
    inputs = samples.inputs(unit, chunk, QUANTIZED, rows)
    real = samples.inputs(unit, chunk, FLOAT, rows) if settings.drop or settings.layers else {}
    if settings.drop:
        inputs = {node: _mixed(x, real[node], settings.drop, generator) for node, x in inputs.items()}
    weights = {name: value(plan) for name, plan in task.weights.items() if name not in variables.roundings}
    weights |= {name: rounding.weight() for name, rounding in variables.roundings.items()}
    quantizers = None
    if settings.activations:
        quantizers = Quantizers(task.plans, variables.factors, settings.drop, generator)
    found = task.evaluator.run(unit.nodes, inputs, step, weights, quantizers)
    wanted = samples.read(chunk, FLOAT, task.output, rows)
    loss = distance(found[task.output], wanted, settings.power)
    if settings.layers and len(unit.products) > 1:
        with torch.no_grad():
            layers = task.evaluator.run(unit.nodes, real, step, {}, None)
        for layer in unit.products[:-1]:
            loss = loss + settings.layers * distance(found[layer], layers[layer], settings.power)
    beta = annealed(iteration, settings.iterations, settings.warmup, settings.beta_start, settings.beta_end)
    if settings.penalty and beta is not None:
        for rounding in variables.roundings.values():
            loss = loss + settings.penalty * rounding_penalty(rounding.h, beta)
    return loss


def _mixed(x: torch.Tensor, real: torch.Tensor, drop: float, generator: torch.Generator) -> torch.Tensor:
    return torch.where((torch.rand(x.shape, generator=generator) < drop).to(x.device), real, x)


def _roundings(task: Task) -> dict[str, Rounding]:
    found: dict[str, Rounding] = {}
    for product in task.unit.products:
        name, weight = weight_name(product), product.args[1]
        assert isinstance(weight, fx.Node)
        found[name] = Rounding(moved(constant(task.evaluator.module, weight)), task.weights[name])
    return found


def _factors(task: Task) -> dict[str, torch.Tensor]:
    """A factor of 1 for each site with static scales: one for all calls where these are equal, else one each.

    The published code learns the scale itself; a factor makes one rate right for scales of any size.
    """
    found: dict[str, torch.Tensor] = {}
    for name in sites(task.unit):
        plan = task.plans[name]
        scale = plan.base if isinstance(plan, QuantizedOperand) else None
        scale = plan.scale if isinstance(plan, QuantizedProbabilities) else scale
        if scale is not None:
            size = 1 if bool((scale == scale[0]).all()) else len(scale)
            found[name] = nn.Parameter(moved(torch.ones(size)))
    return found


def _optimizers(
    variables: Variables, settings: LearningSettings
) -> list[tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]]:
    found: list[tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]] = []
    alphas = [rounding.alpha for rounding in variables.roundings.values()]
    parts = ((alphas, settings.weight_rate), (list(variables.factors.values()), settings.scale_rate))
    for parameters, rate in parts:
        if parameters:
            optimizer = torch.optim.Adam(parameters, lr=rate)
            schedule: torch.optim.lr_scheduler.LRScheduler
            if settings.annealed:
                schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=settings.iterations)
            else:
                schedule = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
            found.append((optimizer, schedule))
    return found
