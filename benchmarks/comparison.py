"""Results of cpu.py: gathered, kept as JSON, and shown as a table."""

from __future__ import annotations

import json
import math
import re
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import peak
import round_trip
from peers.contenders import BASELINE, CONTENDERS, PEAK, ROUND_TRIP

COLUMNS = (
    "runs in",
    "precision",
    "one call, ms",
    "fastest",
    "times PyTorch float32",
    "of the int8 peak",
    "memory, MB",
    "files, MB",
    "signal to noise, dB",
)


@dataclass
class Entry:
    """seconds: of every call. memory: the process's largest, in bytes. size: of its files, in bytes.

    version: of the library. signal_to_noise_db: of its output, against the baseline's.
    """

    seconds: list[float] = field(default_factory=list)
    memory: int = 0
    size: int = 0
    version: str = ""
    signal_to_noise_db: float | None = None


@dataclass
class Results:
    """gmacs: 10^9 multiply-accumulates of a call. entries: by contender; two of them are the machine."""

    model: str
    threads: int
    processor: str
    gmacs: float
    entries: dict[str, Entry] = field(default_factory=dict)

    def entry(self, name: str) -> Entry:
        return self.entries.setdefault(name, Entry())

    def add(self, name: str, seconds: list[float], memory: int) -> None:
        """What a contender took in a round."""
        entry = self.entry(name)
        entry.seconds += seconds
        entry.memory = max(entry.memory, memory)

    def measured(self) -> dict[str, Entry]:
        """Who made calls; an interrupted run leaves others without."""
        return {name: entry for name, entry in self.entries.items() if entry.seconds}

    def compare(self, outputs: Path) -> None:
        """Sets everybody's signal to noise, from files of float32 called by name."""
        if BASELINE not in self.measured():
            return
        wanted = np.fromfile(outputs / BASELINE, np.float32).astype(np.float64)
        for name, entry in self.measured().items():
            if name not in (BASELINE, PEAK, ROUND_TRIP):
                noise = np.square(np.fromfile(outputs / name, np.float32) - wanted).sum()
                entry.signal_to_noise_db = 10 * math.log10(np.square(wanted).sum() / noise)

    def peak_gmacs(self) -> float:
        """10^9 multiply-accumulates of bytes a second, at most."""
        return peak.gmacs(self.entries[PEAK].seconds, self.threads)

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self), indent=2) + "\n")


def begin(file: Path, model: str, threads: int, gmacs: float, *, append: bool) -> Results:
    """Empty results, or those in the file. Raises SystemExit where those are of something else."""
    empty = Results(model, threads, _processor(), gmacs)
    if not append or not file.exists():
        return empty
    found = Results(**json.loads(file.read_text()))
    if (found.model, found.threads, found.processor) != (model, threads, empty.processor):
        raise SystemExit(
            f"{file} has results of {found.model} with {found.threads} threads on {found.processor}; "
            "leave out --append, or give another folder."
        )
    found.entries = {name: Entry(**entry) for name, entry in json.loads(file.read_text())["entries"].items()}
    return found


def as_markdown(results: Results) -> str:
    """A line that says what was measured, and a table of everybody."""
    top = results.peak_gmacs()
    measured = results.measured()
    calls = min(len(entry.seconds) for entry in measured.values())
    lines = [
        f"{results.model}: {results.gmacs:.4g} GMAC a call, {results.threads} threads of "
        f"{results.processor}, int8 peak {top:.0f} GMAC/s{_waiting(results)}, median of {calls} calls.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{' --- |' * len(COLUMNS)}",
    ]
    baseline = measured.get(BASELINE)
    for contender in CONTENDERS:
        entry = measured.get(contender.name)
        if entry is None:
            cells = [contender.runtime.title, contender.setting, "not measured"]
            cells += [""] * (len(COLUMNS) - len(cells))
        else:
            seconds = statistics.median(entry.seconds)
            noise = entry.signal_to_noise_db
            ratio = statistics.median(baseline.seconds) / seconds if baseline else math.nan
            cells = [
                f"{contender.runtime.title} {entry.version}",
                contender.setting,
                f"{1000 * seconds:.4g}",
                f"{1000 * min(entry.seconds):.4g}",
                f"{ratio:.2f}",
                f"{results.gmacs / seconds / top:.0%}",
                f"{entry.memory / 1e6:.0f}",
                f"{entry.size / 1e6:.1f}",
                "-" if noise is None else f"{noise:.1f}",
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _waiting(results: Results) -> str:
    """What two cores need to answer each other, where that was measured."""
    entry = results.measured().get(ROUND_TRIP)
    if entry is None:
        return ""
    fastest, median, slowest = round_trip.nanoseconds(entry.seconds)
    return f", cores' round trip {median:.0f} ns ({fastest:.0f} .. {slowest:.0f})"


def _processor() -> str:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else "an unknown processor"
