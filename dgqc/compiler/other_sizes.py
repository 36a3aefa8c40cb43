"""One program for several sizes: passes run at the first, and the others share what they decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..ir.errors import DgqcError
from ..ir.level import Level
from ..ir.program import Program
from ..ir.progress import enter
from ..ir.sample_size import SampleSize, size_text
from ..ir.tensors import share_constants
from ..passes.base import Pass
from ..passes.lowering.other_sizes import SizeDifference, at_size, difference
from ..passes.manager.manager import PassManager
from ..report.costs import Costs
from ..report.report import summarize
from ..report.widths import Planned

CACHES = "cache-schedule"


@dataclass(frozen=True)
class OtherSize:
    """name: 64x96. changed: what differs in the captured model. costs: of a call."""

    name: str
    changed: SizeDifference
    costs: Costs


@dataclass
class BeforeLowering:
    """An instrument that keeps the program as it is planned."""

    planned: Program | None = None

    def before(self, item: Pass, program: Program) -> None:
        """Keeps it where the pass leaves for integers."""
        if program.level is Level.PLANNED and item.leaves is Level.INTEGER:
            self.planned = program

    def after(self, item: Pass, program: Program, seconds: float) -> None:
        """Nothing."""


def refuse_with_sizes(passes: Sequence[Pass]) -> None:
    """Raises DgqcError for a pass whose programs have one size."""
    if any(item.name == CACHES for item in passes):
        raise DgqcError(
            f"{CACHES} keeps values of one size from call to call, and several are asked for; leave one "
            "of them out."
        )


def captured_at(
    sizes: Sequence[SampleSize],
    first: Program,
    capture: Callable[[SampleSize], Program],
    costs: Callable[[Program], Costs],
) -> tuple[OtherSize, ...]:
    """The model captured at other sizes. first: as it was captured, not yet changed by passes.

    Raises DgqcError where the model is another graph there.
    """
    found = []
    for size in sizes:
        name, program = size_text(size), capture(size)
        found.append(OtherSize(name, difference(first, program, name), costs(program)))
    return tuple(found)


def with_other_sizes(
    program: Program,
    others: Sequence[OtherSize],
    kept: BeforeLowering,
    passes: Sequence[Pass],
    widths: Planned,
) -> Program:
    """The integer program with the same at the other sizes.

    passes: the pipeline. Raises DgqcError where a pass has built the first size in.
    """
    if kept.planned is None:
        return program
    place = next(at for at, item in enumerate(passes) if item.leaves is Level.INTEGER)
    sizes = {}
    for one in others:
        enter(f"lowering it at {one.name}")
        found = PassManager(passes[place:]).run(at_size(kept.planned, one.changed, one.name))
        share_constants(found.graph, program.graph)
        sizes[one.name] = found.with_report("summary", summarize(one.costs, widths, found))
    kept.planned = None
    return replace(program, sizes=sizes)
