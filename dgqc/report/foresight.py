"""What a compile will take on this machine, from what it has to do: minutes, memory, disk.

    seconds = dispatches x D + multiply-adds / M + weights x W

D and M are measured here, in a fifth of a second, while whatever else runs here goes on. How many of each a
pass makes is a constant below, fitted to a few measured compiles (docs/measurements.md says to which, and how
far off the result is).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..ir.spans import amount, duration
from .machine import Machine

SETTLED = 12_000
"""Dispatches for each node of the captured graph, once: capture, most passes, verifying, writing."""
LAYER = 20_000
"""For each layer whose weights are rounded with compensation."""
DRAWN, OBSERVED, LEARNED = 16, 96, 400
"""For each node, in a call of the model itself, of its graph with statistics, and of a gradient step."""
WEIGHT = 1e-7
"""Seconds for a trained value: rounded, verified, written."""
CHECKED = 30
"""Calls of the model, and of its program, when it is checked: some of one picture, and a drawing."""
EFFICIENCY = 0.6
"""Of a processor's multiply-adds, in the shapes of a network."""
BACK = 3
"""A gradient step has as many multiply-adds as so many calls."""

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
    beside: float calls of one sample that passes make beside those, least and most.
    drawn: whether the model draws them first. checked: whether the program is run beside the model.
    compensation: multiply-adds of rounding weights with compensation, 0 without. iterations: gradient
    steps, of `step_batch` samples each, through all units together.
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
    beside: tuple[float, float]
    drawn: bool
    checked: bool
    compensation: int
    iterations: int
    step_batch: int
    size: int


@dataclass(frozen=True)
class Foresight:
    """What is expected. seconds: least and most. memory, disk: bytes, of a process and of a bundle."""

    seconds: tuple[float, float]
    memory: int
    disk: int

    def sentence(self) -> str:
        """`2 to 5 minutes, 1.2 GB of memory and 8 MB of disk`."""
        return f"{duration(*self.seconds)}, {amount(self.memory)} of memory and {amount(self.disk)} of disk"


def foresee(work: Work, machine: Machine) -> Foresight:
    """What the work takes on a machine."""
    ends = zip((work.least, work.most), work.beside, strict=True)
    least, most = (_seconds(work, samples, beside, machine) for samples, beside in ends)
    memory = (
        LIBRARIES
        + work.nodes * NODE_BYTES
        + COPIES * FLOAT * work.weights
        + machine.workers * work.call_bytes
    )
    disk = PROJECT + work.nodes * NODE_TEXT + 2 * work.size
    return Foresight((least / SPREAD, most * SPREAD), round(memory), disk)


def _seconds(work: Work, samples: int, beside: float, machine: Machine) -> float:
    """With so many samples of each call, and calls beside them. What runs side by side is shared by all
    workers."""
    batches = work.calls * -(-samples // work.batch)
    once = SETTLED * work.nodes
    each: float = (OBSERVED + DRAWN * work.drawn) * work.nodes * batches
    products: float = (1 + work.drawn) * samples * work.calls + beside + CHECKED * work.checked
    each += (beside + CHECKED * work.checked) * DRAWN * work.nodes
    if work.compensation:
        each += LAYER * work.layers
        products += 2 * work.calls + work.compensation / work.macs
    each += work.iterations * LEARNED * work.nodes
    products += BACK * work.iterations * work.step_batch
    shared = each * machine.dispatch + products * work.macs / (EFFICIENCY * machine.macs)
    return once * machine.dispatch + work.weights * WEIGHT + shared / machine.workers


def call_seconds(work: Work, peak: float) -> float:
    """Of one call of the C program. peak: int8 multiply-accumulates a second, of all threads together."""
    return (work.macs / SUSTAINED + OVERHEAD * work.nodes) / peak
