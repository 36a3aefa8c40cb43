"""The same inputs through every backend, compared bit by bit."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..backends.registry import REFERENCE, find_runner, known_targets, runner_names
from ..bundle.vectors import EXTREMES, extreme_inputs, random_drawing, random_inputs
from ..ir.caching import FeatureCache, sources_of
from ..ir.errors import DgqcError
from ..ir.progress import track
from .backends import unavailable
from .compiled_program import CompiledProgram

log = logging.getLogger("dgqc")

RUNS_NOTHING = "it emits and runs nothing"


@dataclass(frozen=True)
class Difference:
    """Where two backends first disagree.

    case: which input. index: of the output element. values: backend to what it gave.
    """

    step: int
    case: str
    index: tuple[int, ...]
    values: Mapping[str, int]

    def sentence(self) -> str:
        values = " and ".join(f"{value} from {name}" for name, value in self.values.items())
        return f"Output {list(self.index)} at step {self.step} for the input {self.case} is {values}."


@dataclass(frozen=True)
class Verification:
    """What was compared, and the first difference, if any.

    backends: compared. skipped: backend to why it can't run here. elements: output elements compared.
    drawing: whether a whole drawing was compared, which takes a program with a loop and all of its calls.
    """

    backends: tuple[str, ...]
    skipped: Mapping[str, str]
    elements: int
    steps: tuple[int, ...]
    difference: Difference | None
    drawing: bool = False

    @property
    def bit_exact(self) -> bool:
        return self.difference is None

    def to_json(self) -> dict[str, Any]:
        return {
            "bit_exact": self.bit_exact,
            "backends": list(self.backends),
            "skipped": dict(self.skipped),
            "elements": self.elements,
            "steps": list(self.steps),
            "drawing": self.drawing,
            "first_difference": self.difference.sentence() if self.difference else None,
        }


def verify(
    compiled: CompiledProgram,
    *,
    steps_sampled: int | None = None,
    batch: int = 1,
    seed: int = 0,
    backends: Sequence[str] | None = None,
) -> Verification:
    """Runs random and extreme inputs through all backends that can run here.

    backends: those to compare, the reference among them whether named or not; None takes all.
    steps_sampled: at how many calls of the schedule, evenly spaced; None takes all. batch: random inputs for
    each call. seed: of the first of them.
    Raises DgqcError when fewer than two backends can run, so that nothing would be compared.
    """
    backends, skipped = chosen_backends(compiled, backends)
    steps = evenly_spaced(len(compiled.program.schedule), steps_sampled)
    elements = 0
    before = " IREE compiles the program before that, for seconds to minutes." if "iree" in backends else ""
    names, calls = " and ".join(backends), _calls(len(steps))
    log.info("Comparing %s at %s; the first call tells how long it takes.%s", names, calls, before)
    for step in track(steps, "verifying", len(steps)):
        for case, inputs in _cases(compiled, step, batch, seed):
            outputs = {name: compiled.run_integers(inputs, step, backend=name) for name in backends}
            elements += next(iter(outputs.values())).numel()
            difference = _first_difference(outputs, step, case)
            if difference:
                return Verification(backends, skipped, elements, steps, difference)
    if sources_of(compiled.program.graph):
        difference, more = _sequences(compiled, backends, seed)
        elements += more
        if difference:
            return Verification(backends, skipped, elements, steps, difference)
    if compiled.program.loop is not None and len(steps) == len(compiled.program.schedule):
        log.info("Comparing a whole drawing of %s.", _calls(len(steps)))
        drawing = random_drawing(compiled.program, seed)
        pictures = {name: compiled.draw_integers(drawing, backend=name) for name in backends}
        elements += next(iter(pictures.values())).numel()
        difference = _first_difference(pictures, steps[-1], f"a whole drawing, seed {seed}")
        return Verification(backends, skipped, elements, steps, difference, drawing=True)
    return Verification(backends, skipped, elements, steps, None)


def _sequences(
    compiled: CompiledProgram, backends: Sequence[str], seed: int
) -> tuple[Difference | None, int]:
    """Two pictures' calls in turn, the second from the middle on: shallow calls read what full ones left.

    Returns the first difference, and how many elements were compared.
    """
    calls = len(compiled.program.schedule)
    log.info("Comparing two sequences of %s in turn.", _calls(calls))
    caches = [{name: FeatureCache() for name in backends} for _ in range(2)]
    elements = 0
    for step in track(range(calls), "verifying sequences", calls):
        for picture, first in enumerate((0, calls // 2)):
            if step < first:
                continue
            own = (seed + picture) * 1009 + step
            inputs, held = random_inputs(compiled.program, own), caches[picture]
            outputs = {
                name: compiled.run_integers(inputs, step, backend=name, cache=held[name]) for name in backends
            }
            elements += next(iter(outputs.values())).numel()
            case = f"random, seed {own}, of a sequence from call {first} on"
            if difference := _first_difference(outputs, step, case):
                return difference, elements
    return None, elements


def _calls(count: int) -> str:
    return f"{count} calls" if count > 1 else "one call"


def chosen_backends(
    compiled: CompiledProgram, wanted: Sequence[str] | None
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Which backends to compare, and which of the others aren't, with the reason.

    wanted: None for all that can run here in a bearable time.
    Raises DgqcError for a backend that there isn't, and when nothing is left to compare with the reference.
    """
    for name in wanted or ():
        find_runner(name)
    named = [name for name in runner_names() if wanted is None or name in wanted or name == REFERENCE]
    reasons = {**(_too_much(compiled) if wanted is None else {}), **unavailable()}
    skipped = {name: reasons[name] for name in named if name in reasons}
    backends = tuple(name for name in named if name not in skipped)
    if wanted is None:
        skipped |= {target.name: RUNS_NOTHING for target in known_targets() if not target.runners}
    if len(backends) < 2:
        why = "; ".join(f"{name}: {reason}" for name, reason in skipped.items()) or "no other was asked for"
        raise DgqcError(
            f"Only the {backends[0]} backend can run here, so there is nothing to compare ({why})."
        )
    return backends, skipped


def _too_much(compiled: CompiledProgram) -> dict[str, str]:
    """Runners that would take very long for this program, as their targets say."""
    work = compiled.report.get("summary", {}).get("macs_g", 0)
    found = {name: target().too_slow(name, work) for target in known_targets() for name in target.runners}
    return {name: reason for name, reason in found.items() if reason is not None}


def evenly_spaced(count: int, sampled: int | None) -> tuple[int, ...]:
    """`sampled` of 0 .. count-1, the first and the last among them."""
    if sampled is not None and sampled < 1:
        raise DgqcError(f"{sampled} steps can't be sampled; give at least 1.")
    if sampled is None or sampled >= count:
        return tuple(range(count))
    if sampled == 1:
        return (0,)
    return tuple(round(place * (count - 1) / (sampled - 1)) for place in range(sampled))


def _cases(
    compiled: CompiledProgram, step: int, batch: int, seed: int
) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
    for number in range(batch):
        own = (seed + number) * 1009 + step
        yield f"random, seed {own}", random_inputs(compiled.program, own)
    for kind in EXTREMES:
        yield kind, extreme_inputs(compiled.program, kind)


def _first_difference(outputs: Mapping[str, torch.Tensor], step: int, case: str) -> Difference | None:
    (first_name, first), *others = outputs.items()
    for name, other in others:
        if first.shape != other.shape or first.dtype != other.dtype:
            raise DgqcError(
                f"The {name} backend gives {other.dtype} {tuple(other.shape)} where {first_name} gives "
                f"{first.dtype} {tuple(first.shape)}; this is an error of dgqc, please report it."
            )
        places = (first != other).nonzero().tolist()
        if places:
            index = tuple(places[0])
            values = {first_name: int(first[index]), name: int(other[index])}
            return Difference(step, case, index, values)
    return None
