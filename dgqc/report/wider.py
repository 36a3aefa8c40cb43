"""What a program's wider codes are worth, and what they cost, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .report import Report, entry_with

KIB = 1024


def wider(report: Report) -> str:
    """What `keep-wide` did, as the summary of a compile says it; empty where it left all as it was.

    report: of a bundle, or of one of its parts.
    """
    found = entry_with(report.get("passes", {}), "added-percent")
    if not found or not counts(found):
        return ""
    return (
        f"Kept wider: {counts(found)}, since the worst call had {min(found['before']):.1f} dB; in simulation "
        f"it has {min(found['after']):.1f}. They cost {price(found)}."
    )


def counts(found: Mapping[str, Any]) -> str:
    """How many are wider, of how many. found: what `keep-wide` reported."""
    kinds = ((kind, len(found[f"wide-{kind}"]), found["of"][kind]) for kind in ("operands", "weights"))
    return " and ".join(f"{count} of {whole} {kind}" for kind, count, whole in kinds if count)


def price(found: Mapping[str, Any]) -> str:
    """Their bytes, and the work that takes longer."""
    return (
        f"{found['bytes'] / KIB:.1f} KiB of weights, {found['sixteen-bit-percent']:g} % of multiply-adds in "
        f"16 bits, and {found['added-percent']:g} % more of them"
    )
