"""A report as lines, and as a table for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from .report import DEVICE, Report, entry_with
from .table import table
from .wider import counts, price

KIB = 1024


def rows(report: Report) -> Iterator[tuple[str, str]]:
    """What stands in a report, line by line, as (name, value with unit)."""
    yield "model", str(report["model"])
    yield "preset", str(report["opt"])
    if "pipeline" in report:
        yield "passes", str(report["pipeline"])
    if "scheduler" in report:
        origin = f", {report['schedule_origin']}" if report.get("schedule_origin") else ""
        yield "schedule", f"{report['scheduler']}, {report['calls']} calls{origin}"
    if "calibration" in report:
        yield "ranges from", str(report["calibration"]["origin"])
    if DEVICE in report.get("passes", {}):
        yield "computed on", str(report["passes"][DEVICE])
    yield "parameters", f"{report['parameters_m']:.2f} M"
    yield "size, float", f"{report['float_size_mb']:.2f} MB"
    yield "size", f"{report['size_mb']:.2f} MB"
    for name, size in report["size_bytes"].items():
        yield f"  of it {name.replace('_', ' ')}", f"{size / 1e6:.3f} MB"
    yield "multiply-accumulates", f"{report['macs_g']:.4g} G"
    for name, macs in report["macs_by_kind_g"].items():
        yield f"  of it {name}", f"{macs:.4g} G"
    yield "bit operations", f"{report['bops_t']:.4g} T"
    if report["bops_as_built_t"] != report["bops_t"]:
        yield "  with edges and attention as built", f"{report['bops_as_built_t']:.4g} T"
    yield "bits of weights / activations", f"{report['weight_bits']} / {report['activation_bits']}"
    yield "groups", str(report["groups"])
    yield from _absorbed(entry_with(report.get("passes", {}), "louder-db"))
    yield from _kept_wide(entry_with(report.get("passes", {}), "added-percent"))
    yield from _probabilities(report.get("probabilities", {}))
    yield "tables by step", f"{report['table_bytes'] / KIB:.1f} KiB"
    if "arena_bytes" in report:
        yield "working memory", f"{report['arena_bytes'] / KIB:.1f} KiB"
    yield from _arena(entry_with(report.get("passes", {}), "arena_bytes"))
    yield from _quality(report.get("quality", {}))
    if integers := {call: db for call, db in report.get("integers_db", {}).items() if db is not None}:
        found = ", ".join(f"{db:.1f} dB at {call}" for call, db in integers.items())
        yield "integers without quantization", found
    for path, decibels in _least_exact(report.get("layer_error_db", {})):
        yield f"  error of {path}", f"{decibels:.1f} dB"
    for size, taken in report.get("sizes", {}).items():
        memory = f"{taken['arena_bytes'] / KIB:.1f} KiB"
        yield f"at {size}", f"{taken['macs_g']:.4g} G multiply-accumulates, working memory {memory}"
    for name, part in report.get("parts", {}).items():
        yield f"part {name}", f"{part['model']} at {part['opt']}, {part['size_mb']:.2f} MB"
        yield "  multiply-accumulates", f"{part['macs_g']:.4g} G"
        yield "  ranges from", str(part["calibration"]["origin"])
        if "arena_bytes" in part:
            yield "  working memory", f"{part['arena_bytes'] / KIB:.1f} KiB"
        yield from _quality(part["quality"])
    for name, reason in report.get("floating", {}).items():
        yield f"part {name}", f"stays float: {reason}"
    if "bytes_on_disk" in report:
        yield "bundle on disk", f"{report['bytes_on_disk'] / 1e6:.2f} MB"


def _absorbed(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Whose multiples weights take up. found: what `absorb-multiples` reported, or nothing."""
    if found:
        of = f"{found['operands']} of {found['operands'] + len(found['left'])} operands"
        yield "  multiples in weights", f"{of}, rounding {found['louder-db']:.2f} dB louder"


def _kept_wide(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What keeps more bits than the preset says. found: what `keep-wide` reported, or nothing."""
    if found and counts(found):
        gained = f"{min(found['before']):.1f} dB at the least became {min(found['after']):.1f}"
        yield "  kept wider", f"{counts(found)}: {gained}"
        yield "  which costs", price(found)


def _quality(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the check beside the float model gave. found: `Quality` as JSON, or nothing."""
    if not found:
        return
    seen = "that did not calibrate" if found["unseen"] else "that calibrated it"
    yield (
        "signal to noise by call",
        ", ".join(f"{db:.1f} dB at {call}" for call, db in found["calls"].items()),
    )
    if found["drawing"] is not None:
        yield "  after a whole drawing", f"{found['drawing']:.1f} dB"
    yield "  on samples", f"{seen}: {found['origin']}"
    yield "  expected", f"{found['bound']:g} dB and more"


def _probabilities(codings: dict[str, str]) -> Iterator[tuple[str, str]]:
    """How attentions are coded, and those that aren't coded as most are. codings: by place in the model."""
    if not codings:
        return
    counts = Counter(codings.values())
    yield "attention probabilities", ", ".join(f"{count} {coding}" for coding, count in counts.items())
    most = max(counts, key=counts.__getitem__)
    for path, coding in codings.items():
        if coding != most:
            yield f"  of {path}", coding


def _arena(memory: Mapping[str, Any], count: int = 5) -> Iterator[tuple[str, str]]:
    """The map of the arena: its parts, the busiest moment, the largest buffers."""
    if not memory:
        return
    yield "  for all threads", f"{memory['shared_bytes'] / KIB:.1f} KiB"
    yield "  for each thread", f"{memory['thread_bytes'] / KIB:.1f} KiB"
    yield "  most in use", f"{memory['peak']['bytes'] / KIB:.1f} KiB, in group {memory['peak']['group']}"
    for buffer in memory["buffers"][:count]:
        life = f"groups {buffer['first']} to {buffer['last']}"
        yield f"  buffer at {buffer['offset']}", f"{buffer['bytes'] / KIB:.1f} KiB, {life}: {buffer['name']}"


def _least_exact(layers: dict[str, float | None], count: int = 5) -> list[tuple[str, float]]:
    """The layers with the least signal to noise."""
    known = [(path, decibels) for path, decibels in layers.items() if decibels is not None]
    return sorted(known, key=lambda layer: layer[1])[:count]


def as_table(report: Report) -> Table:
    """For a terminal."""
    made = table("figure", "value")
    made.columns[1].overflow = "fold"
    for name, value in rows(report):
        made.add_row(name, value)
    return made
