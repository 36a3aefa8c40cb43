"""What a compile will take on this machine, from what it has to do: minutes, memory, disk.

    seconds = dispatches x D + multiply-adds / M + weights x W

D and M are measured here, in a fifth of a second, while whatever else runs here goes on. How many of each a
pass makes is a constant below, fitted to a few measured compiles (docs/measurements.md says to which, and how
far off the result is). They are added up by phase, so that a display knows how much of the whole each one is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt

from ..ir.progress import CHECKING, WRITING
from ..ir.spans import amount, duration
from ..passes.activations.observe_ranges import ObserveRanges
from ..passes.weights.gptq import Gptq
from .beside import INTEGERS
from .machine import Machine

SETTLED = 12_000
"""Dispatches for each node of the captured graph, once: capture, most passes, verifying, writing."""
LAYER = 20_000
"""For each layer whose weights are rounded with compensation."""
DRAWN, OBSERVED, LEARNED = 16, 96, 400
"""For each node, in a call of the model itself, of its graph with statistics, and of a gradient step."""
WEIGHT = 1e-7
"""Seconds for a trained value: rounded, verified, written."""
EFFICIENCY = 1.0
"""Of the multiply-adds that are measured, in the shapes of a network: large images are as quick."""
BACK = 3
"""A gradient step has as many multiply-adds as so many calls."""
SETTLING = {
    "quantize-weights": 0.2,
    "balance-channels": 0.2,
    "lower-integer": 0.2,
    WRITING: 0.4,
}
"""Where what is done once, and for each trained value, is mostly done."""

SUSTAINED = 0.65
"""Of a processor's int8 peak, in products of a size that pays."""
OVERHEAD = 1.5e6
"""Multiply-adds at the peak for each node of the graph: what isn't a product, and what products prepare."""

LIBRARIES = 550 * 2**20
"""Bytes of PyTorch, diffusers and the rest."""
NODE_BYTES = 128 * 2**10
"""Of memory for each node of the graph: it stands in several levels, with its tables."""
COPIES = 1.5
"""Float weights are held so many times over where most is in use."""
PROJECT, NODE_TEXT = 600 * 2**10, 5 * 2**10
"""Bytes on disk: of the C runtime and what stands in every bundle; of a node in the graph's file and in C."""
FLOAT = 4
SPREAD = 1.5
"""What takes least or most time is so many times less or more than what is foreseen."""


@dataclass(frozen=True)
class Work:
    """What a compile has to do, counted.

    nodes, layers, weights: of the captured graph, its products with weights, their trained values.
    macs: multiply-adds of a call for a sample. call_bytes: memory of what runs at a time: a call of a batch,
    or a pass back.
    calls: of the schedule. least, most: samples of each; more follow while ranges grow. batch: at a time.
    beside: float calls of one sample that passes make beside those, least and most, by the pass's name.
    drawn: whether the model draws them first. checking: likewise, of running the program beside the model.
    compensation: multiply-adds of rounding weights with compensation, 0 without. iterations: gradient
    steps, of `step_batch` samples each, through all units together. learner: the pass that makes them.
    size: bytes of the program's constants.
    """

    nodes: int
    layers: int
    weights: int
    macs: int
    call_bytes: int
    calls: int
    least: int
    most: int
    batch: int
    beside: Mapping[str, tuple[float, float]]
    drawn: bool
    checking: float
    compensation: int
    iterations: int
    step_batch: int
    learner: str
    size: int


@dataclass(frozen=True)
class Foresight:
    """What is expected. seconds: least and most. memory, disk: bytes, of a process and of a bundle. phases:
    seconds of each, by name, between least and most."""

    seconds: tuple[float, float]
    memory: int
    disk: int
    phases: Mapping[str, float] = field(default_factory=dict)

    def sentence(self) -> str:
        """`2 to 5 minutes, 1.2 GB of memory and 8 MB of disk`."""
        return f"{duration(*self.seconds)}, {amount(self.memory)} of memory and {amount(self.disk)} of disk"


def foresee(work: Work, machine: Machine) -> Foresight:
    """What the work takes on a machine."""
    least, most = (_phases(work, end, machine) for end in (0, 1))
    memory = (
        LIBRARIES
        + work.nodes * NODE_BYTES
        + COPIES * FLOAT * work.weights
        + machine.workers * work.call_bytes
    )
    disk = PROJECT + work.nodes * NODE_TEXT + 2 * work.size
    seconds = sum(least.values()) / SPREAD, sum(most.values()) * SPREAD
    phases = {name: sqrt(least[name] * most[name]) for name in most}
    return Foresight(seconds, round(memory), disk, phases)


def _phases(work: Work, end: int, machine: Machine) -> dict[str, float]:
    """Seconds by phase. end: 0 for the fewest samples and calls that are thought of, 1 for the most."""
    found = defaultdict[str, float](float)

    def add(phase: str, dispatches: float, calls: float) -> None:
        """What runs side by side. dispatches: of each node. calls: of the model."""
        products = calls * work.macs / (EFFICIENCY * machine.macs)
        found[phase] += (dispatches * work.nodes * machine.dispatch + products) / machine.workers

    samples = (work.least, work.most)[end]
    batches = work.calls * -(-samples // work.batch)
    add(
        ObserveRanges.name, (OBSERVED + DRAWN * work.drawn) * batches, (1 + work.drawn) * samples * work.calls
    )
    for name, ends in work.beside.items():
        add(name, DRAWN * ends[end], ends[end])
    add(CHECKING, DRAWN * work.checking, work.checking)
    if work.compensation:
        products = 2 * work.calls + work.compensation / work.macs
        add(Gptq.name, LAYER * work.layers / work.nodes, products)
    if work.iterations:
        add(work.learner, LEARNED * work.iterations, BACK * work.iterations * work.step_batch)
    add(WRITING, 0.0, INTEGERS)
    for name, share in SETTLING.items():
        found[name] += share * (SETTLED * work.nodes * machine.dispatch + WEIGHT * work.weights)
    return found


def call_seconds(work: Work, peak: float) -> float:
    """Of one call of the C program. peak: int8 multiply-accumulates a second, of all threads together."""
    return (work.macs / SUSTAINED + OVERHEAD * work.nodes) / peak
