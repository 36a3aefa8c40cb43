"""Takes all samples through the float and the quantized network side by side, unit by unit.

Every value that a later unit still reads is kept for all samples, once from each network; a unit is learned
when its turn comes, its input from the quantized network as it is by then, its target from the float one.
What a unit is made from has a name without being computed: where all units are in the cache, nothing runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import fx

from ....ir.calibration import Inputs, samples_in
from ....ir.devices import CPU, device_here, kinds
from ....ir.errors import DgqcError
from ....ir.moving import moved
from ....ir.parallel import side_by_side
from ....ir.plans import Plan, QuantizedOperand, QuantizedProbabilities, Weight
from ....ir.program import Program
from ....ir.progress import track
from ....ir.ranks import agreed, owned
from ....ir.storage.mapped import let_go
from ...graph.batches import arguments, call_bytes
from ...graph.edit import constant, dgqc
from .activation_store import ActivationStore
from .adaround import value
from .blocks import Unit, units
from .cache import Cache, Learned
from .compensate import Compensation, KnownMoments
from .content_hash import content_hash, structure
from .evaluate import Evaluator, Quantizers
from .learn import FLOAT, QUANTIZED, Samples, Task, learn, sites
from .row_means import GROUPS
from .settings import LearningSettings

FORMAT = 4
"""Of what is learned: another number makes everything kept before another's."""
MADE_WITH = (FORMAT, torch.__version__, torch.backends.cpu.get_cpu_capability())
"""What else numbers depend on, beside what they are computed from and the kind of device."""


@dataclass(frozen=True)
class Reconstruction:
    """plans: with what was learned. errors: before and after, by a unit's name, which several may have.

    units: how many there were. kept: how many of them the cache had.
    """

    plans: dict[str, Plan]
    errors: dict[str, tuple[float, float]]
    units: int
    kept: int


def reconstruct(
    program: Program,
    blocks: bool,
    settings: LearningSettings,
    cache: Cache,
    budget: float,
    compensation: Compensation | None = None,
) -> Reconstruction:
    """Learns a program's units in order.

    blocks: whether blocks are learned as a whole. budget: bytes of samples that may lie in memory.
    compensation: rounds single layers, in the place of gradient descent.
    Raises DgqcError without calibration samples.
    """
    chosen = units(program.graph.graph, program.inputs[0].name, blocks)
    with ActivationStore(budget) as store:
        walk = _Walk(program, settings, cache, store, _read_last(chosen), compensation)
        count = sum(bool(unit.products) for unit in chosen)
        ticks = track(
            range(count * settings.iterations), "reconstructing weights", count * settings.iterations
        )
        for unit in chosen:
            walk.take(unit, ticks)
        next(ticks, None)
        return Reconstruction(walk.plans, walk.errors, count, walk.kept)


def chunks(
    program: Program, samples: int, spread: bool = False
) -> Iterator[tuple[int, tuple[torch.Tensor, ...]]]:
    """(step, the graph's arguments) of up to so many samples a call, as many at once as the graph can run.

    spread: whether calls take turns with the samples, else all take the first: one picture's calls resemble
    each other.
    Raises DgqcError without calibration samples, or where a call has none.
    """
    if program.calibration is None:
        raise DgqcError("Reconstruction needs calibration samples; give some with --calib.")
    for step in range(len(program.schedule)):
        found: list[Inputs] = []
        have = 0
        for inputs in program.calibration.read(step):
            part = inputs if spread else {name: x[: samples - have] for name, x in inputs.items()}
            found.append(part)
            have += samples_in(part)
            if have >= samples and not spread:
                break
        if not have:
            raise DgqcError(f"The calibration samples hold none for call {step}; record the whole one.")
        whole = {name: torch.cat([part[name] for part in found]) for name in found[0]}
        if spread:
            order = torch.randperm(have, generator=torch.Generator().manual_seed(0))
            turn = order[(step * samples + torch.arange(min(samples, have))) % have]
            whole = {name: x[turn] for name, x in whole.items()}
        for batch in arguments(program, whole):
            yield step, batch


class _Walk:
    """The state between two units."""

    def __init__(
        self,
        program: Program,
        settings: LearningSettings,
        cache: Cache,
        store: ActivationStore,
        read_last: Mapping[Unit, tuple[fx.Node, ...]],
        compensation: Compensation | None = None,
    ) -> None:
        self.evaluator, self.settings, self.cache, self.store = Evaluator(program), settings, cache, store
        self.read_last, self.compensation = read_last, compensation
        self.known: KnownMoments = {}
        self.pending: list[tuple[Unit, str]] = []  # a unit and a network that it isn't computed in yet
        self.plans: dict[str, Plan] = dict(program.plans)
        self.errors: dict[str, tuple[float, float]] = {}
        self.kept = 0
        self.steps: list[int] = []
        self.sizes: list[int] = []
        placeholders = [n for n in program.graph.graph.nodes if n.op == "placeholder" and n.target != "step"]
        origin, held = "", []
        for chunk, (step, batch) in enumerate(chunks(program, settings.samples, compensation is not None)):
            self.steps.append(step)
            self.sizes.append(len(batch[0]))
            origin = content_hash(origin, step, batch)
            if compensation is not None and not owned(chunk % GROUPS):
                continue  # another process has it
            held.append(chunk)
            for node, x in zip(placeholders, batch, strict=True):
                self._put(chunk, FLOAT, node, x)
                self._put(chunk, QUANTIZED, node, x)
        self.held: Sequence[int] = held
        self.bytes_each = call_bytes(program, settings.samples)
        # What each value was made from: samples, and everything before it.
        made_with = (*MADE_WITH, *kinds(device_here()))
        self.made_from = {node: content_hash(made_with, origin, node.name) for node in placeholders}
        self.samples = Samples(self.steps, self.sizes, self._read)

    def take(self, unit: Unit, ticks: Iterator[int]) -> None:
        """Finds a unit in the cache, or learns it, for which all units before it are computed."""
        key = self._key(unit)
        self.pending.append((unit, FLOAT))
        if unit.products:
            learned = agreed(lambda: self.cache.load(key))
            if learned is None:
                self._catch_up()
                learned = self._learned(unit, key, ticks)
            else:
                self.kept += 1
                for _ in range(self.settings.iterations):
                    next(ticks, None)
            self.plans.update(_with(self.plans, learned))
            self.errors[unit.name] = (learned.before, learned.after)
            key = content_hash(
                key, learned.codes, learned.factors, *([learned.scales] if learned.scales else [])
            )
        self.made_from.update({node: content_hash(key, node.name) for node in unit.outputs})
        for node in self.read_last[unit]:
            self.known.pop(node, None)
        self.pending.append((unit, QUANTIZED))

    def _catch_up(self) -> None:
        """Computes what is still to be computed, and drops values that nobody reads any more."""
        for unit, network in self.pending:
            self._run(unit, network)
            for node in self.read_last[unit] if network == QUANTIZED else ():
                for chunk in self.held:
                    self.store.drop((chunk, FLOAT, node.name))
                    self.store.drop((chunk, QUANTIZED, node.name))
        self.pending.clear()

    def _learned(self, unit: Unit, key: str, ticks: Iterator[int]) -> Learned:
        # A unit's random numbers depend on the unit alone, so that it may be learned in any session.
        seed = int(content_hash(self.settings.seed, unit.name)[:15], 16)
        task = Task(unit, self.evaluator, self.plans, self.samples, self.settings)
        if self.compensation is None:
            found = learn(task, seed, lambda: next(ticks, None))
        else:
            found = self.compensation(task, self.known)
            next(ticks, None)
        agreed(lambda: self.cache.save(key, found))
        return found

    def _key(self, unit: Unit) -> str:
        """What the unit is made from."""
        constants = [i for node in unit.nodes for i in node.all_input_nodes if i.op == "get_attr"]
        names = dict.fromkeys([*sites(unit), *(str(node.target) for node in constants)])
        # A convolution quantizes patches of what a site outside of it says.
        read = [i for node in unit.nodes for i in node.all_input_nodes if i.target is dgqc.site.default]
        names.update(dict.fromkeys(str(site.args[1]) for site in read))
        known = {name: self.plans[name] for name in names if name in self.plans}
        # With activations in float, what is learned serves every width of theirs.
        plans = {
            name: plan
            for name, plan in known.items()
            if self.settings.activations or isinstance(plan, Weight)
        }
        values = {str(node.target): constant(self.evaluator.module, node) for node in constants}
        key = content_hash(
            FORMAT,
            structure(unit.nodes),
            [self.made_from[node] for node in unit.inputs],
            values,
            plans,
            self.settings,
            *([self.compensation] if self.compensation else []),
        )
        let_go(*values.values())
        return key

    def _run(self, unit: Unit, network: str) -> None:
        """Computes a unit's outputs for all samples, in one of the networks."""
        weights: dict[str, torch.Tensor] = {}
        quantizers = None
        if network == QUANTIZED:
            names = {str(i.target) for node in unit.nodes for i in node.all_input_nodes if i.op == "get_attr"}
            weights = {n: value(plan) for n in names if isinstance(plan := self.plans.get(n), Weight)}
            quantizers = Quantizers(self.plans) if self.settings.activations else None

        def computed(chunk: int) -> list[torch.Tensor]:
            inputs, step = self.samples.inputs(unit, chunk, network), self.steps[chunk]
            with torch.no_grad():
                kept = unit.outputs
                found = self.evaluator.run(unit.nodes, inputs, step, weights, quantizers, kept)
            return [found[node] for node in unit.outputs]

        for chunk, values in zip(self.held, side_by_side(computed, self.held, self.bytes_each), strict=True):
            for node, value_of in zip(unit.outputs, values, strict=True):
                self._put(chunk, network, node, value_of)

    def _put(self, chunk: int, network: str, node: fx.Node, value: torch.Tensor) -> None:
        self.store.put((chunk, network, node.name), value.to(CPU))

    def _read(self, chunk: int, network: str, node: fx.Node, rows: torch.Tensor | None) -> torch.Tensor:
        key = (chunk, network, node.name)
        # A value of the time alone has one row for all samples.
        return moved(self.store.get(key, rows if self.store.rows(key) == self.sizes[chunk] else None))


def _with(plans: Mapping[str, Plan], learned: Learned) -> dict[str, Plan]:
    """The plans that learning changed."""
    changed: dict[str, Plan] = {}
    for name, codes in learned.codes.items():
        weight = plans[name]
        assert isinstance(weight, Weight)
        changed[name] = replace(weight, codes=codes, scale=learned.scales.get(name, weight.scale))
    for name, factor in learned.factors.items():
        plan = plans[name]
        if isinstance(plan, QuantizedOperand):
            changed[name] = replace(plan, base=plan.base * factor)
        elif isinstance(plan, QuantizedProbabilities) and plan.scale is not None:
            changed[name] = replace(plan, scale=plan.scale * factor)
    return changed


def _read_last(chosen: list[Unit]) -> dict[Unit, tuple[fx.Node, ...]]:
    """The values that no unit after each one reads."""
    last = {node: unit for unit in chosen for node in unit.inputs}
    return {unit: tuple(node for node, reader in last.items() if reader is unit) for unit in chosen}
