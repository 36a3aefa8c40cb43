"""What watches a pipeline: objects that the manager tells about every pass. Passes know none of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TextIO, runtime_checkable

from ...ir.peak_memory import peak_memory
from ...ir.printer import format_graph
from ...ir.program import Program
from ..base import Pass


@runtime_checkable
class Instrument(Protocol):
    """Told before and after each pass. It may look at the program and must not change it."""

    def before(self, item: Pass, program: Program) -> None:
        """Called with the program that the pass will take."""

    def after(self, item: Pass, program: Program, seconds: float) -> None:
        """Called with the verified program that the pass left, and the time its `run` took."""


@dataclass
class Timing:
    """Collects how long each pass took, and the process's peak memory up to its end (`--timing`)."""

    seconds: list[tuple[str, float]] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)

    def before(self, item: Pass, program: Program) -> None:
        """Nothing."""

    def after(self, item: Pass, program: Program, seconds: float) -> None:
        """Notes both."""
        self.note(item.name, seconds)

    def note(self, name: str, seconds: float) -> None:
        """What anything else took that runs as passes do."""
        self.seconds.append((name, seconds))
        self.peaks.append(peak_memory())

    def table(self) -> str:
        """One line a pass, in the order they ran, with its share of the whole and the peak so far."""
        total = sum(seconds for _, seconds in self.seconds)
        lines = [
            f"{seconds:9.3f} s {100 * seconds / max(total, 1e-9):5.1f} % {peak / 1e9:6.2f} GB  {name}"
            for (name, seconds), peak in zip(self.seconds, self.peaks, strict=True)
        ]
        return "\n".join([*lines, f"{total:9.3f} s                    total"])


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
