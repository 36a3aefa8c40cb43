"""What a compile has to do, counted from its graph and its pipeline before any pass runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..ir.program import Program
from ..passes.activations.observe_ranges import ObserveRanges
from ..passes.base import Pass
from ..passes.graph.batches import call_bytes
from ..passes.simulation.pass_back import RETAINED
from ..passes.weights.gptq import Gptq
from ..passes.weights.reconstruction.compensate import SPAN
from .beside import asks_gradients, beside_by_pass, calls_to_check
from .costs import Costs
from .foresight import Work
from .sizes import estimate_sizes
from .widths import decided

ROW_PRODUCTS, SOLUTIONS = 4, 3
"""Of a layer's rows with its weights, and of a span's factor with them, in `gptq`."""
DOUBLE = 2
"""Multiply-adds of single precision that one of double takes as long as."""


@dataclass(frozen=True)
class Sampling:
    """Samples of each call. count: at first; others may follow where it `grows`. batch: at a time.
    drawn: by the float model, when they are first read; else they were recorded. draws: whether somebody can
    draw a picture to check a program on."""

    count: int
    batch: int
    drawn: bool = True
    grows: bool = False
    draws: bool = True


def work_of(
    captured: Program,
    costs: Costs,
    passes: Sequence[Pass],
    sampling: Sampling,
    *,
    calls: int,
    checked: bool,
) -> Work:
    """What it takes to bring a captured program through the passes. checked: and to run it beside its
    model."""
    steps = [item for item in passes if hasattr(item, "iterations")]
    asked = calls_to_check(calls, draws=sampling.draws) if checked else 0.0
    back = RETAINED * call_bytes(captured, 1) * asks_gradients(passes, costs.parameters)
    return Work(
        nodes=len(captured.graph.graph.nodes),
        layers=sum(1 for one in costs.products if one.weights and not one.temporal),
        weights=costs.parameters,
        macs=costs.macs(),
        call_bytes=max(call_bytes(captured, sampling.batch), back),
        calls=calls,
        least=sampling.count,
        most=_most(passes, costs, calls, sampling),
        batch=sampling.batch,
        beside=beside_by_pass(passes, costs.parameters, calls, sampling.count),
        drawn=sampling.drawn,
        checking=asked,
        compensation=sum(_compensation(item, costs, calls) for item in passes if isinstance(item, Gptq)),
        iterations=sum(item.iterations for item in steps),
        step_batch=max((getattr(item, "batch", 1) for item in steps), default=1),
        size=estimate_sizes(costs, decided(passes), calls).total,
        learner=steps[0].name if steps else "",
    )


def _most(passes: Sequence[Pass], costs: Costs, calls: int, sampling: Sampling) -> int:
    """Samples of a call where ranges grow to the end."""
    count = sampling.count
    observing = next((item for item in passes if isinstance(item, ObserveRanges)), None)
    if not sampling.grows or observing is None:
        return count
    while count < observing.most:
        if 2 * costs.macs() * calls * (count + sampling.count) > observing.work:
            break
        count += sampling.count
    return count


def _compensation(item: Gptq, costs: Costs, calls: int) -> int:
    """Multiply-adds in single precision of rounding all layers: moments of as many rows as a picture has, or
    the most; a factor of each span's; and what each output's weights are moved and rounded by."""
    found = 0
    for one in costs.products:
        if not one.weights or one.temporal:
            continue
        inputs = one.weights // one.columns
        span, rows = min(inputs, SPAN), min(item.rows, calls * (one.macs // one.weights))
        on_rows = rows * inputs * (span + ROW_PRODUCTS * one.columns)
        found += on_rows + DOUBLE * inputs * span * (span + SOLUTIONS * one.columns)
    return found
