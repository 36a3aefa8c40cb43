"""What watches a pipeline: objects that the manager tells about every pass. Passes know none of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TextIO

from ..ir.printer import format_graph
from ..ir.program import Program
from .base import Pass


class Instrument(Protocol):
    """Told before and after each pass. It may look at the program and must not change it."""

    def before(self, item: Pass, program: Program) -> None:
        """Called with the program that the pass will take."""

    def after(self, item: Pass, program: Program, seconds: float) -> None:
        """Called with the verified program that the pass left, and the time its `run` took."""


@dataclass
class Timing:
    """Collects how long each pass took (`--timing`)."""

    seconds: list[tuple[str, float]] = field(default_factory=list)

    def before(self, item: Pass, program: Program) -> None:
        """Nothing."""

    def after(self, item: Pass, program: Program, seconds: float) -> None:
        """Notes the time."""
        self.seconds.append((item.name, seconds))

    def table(self) -> str:
        """One line a pass, in the order they ran, with its share of the whole."""
        total = sum(seconds for _, seconds in self.seconds)
        lines = [
            f"{seconds:9.3f} s {100 * seconds / max(total, 1e-9):5.1f} %  {name}"
            for name, seconds in self.seconds
        ]
        return "\n".join([*lines, f"{total:9.3f} s         total"])


@dataclass(frozen=True)
class PrintAfter:
    """Prints the graph after some passes (`--print-ir-after=PASS|all`).

    names: of the passes, or None for all.
    """

    names: frozenset[str] | None
    stream: TextIO

    def before(self, item: Pass, program: Program) -> None:
        """Nothing."""

    def after(self, item: Pass, program: Program, seconds: float) -> None:
        """Prints."""
        if self.names is None or item.name in self.names:
            self.stream.write(f"// after {item.name}\n{format_graph(program)}\n")
