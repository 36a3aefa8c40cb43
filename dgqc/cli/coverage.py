"""What `dgqc calibrate --coverage` tells: the ranges that still grow, and whether pictures were enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .console import result

if TYPE_CHECKING:
    from ..compiler.coverage import Coverage

SHOWN = 20
"""Sites in the table; all of them stand in the JSON."""
COLUMNS = 4
"""Rounds in the table: the last ones."""


def tell(coverage: Coverage) -> None:
    """A table of the sites whose ranges grew in the last round, round by round, and a sentence."""
    from ..report.table import table

    last = coverage.rounds[-1]
    shown = coverage.rounds[-COLUMNS:]
    if last.still:
        rows = table("range grew by, at so many pictures", *(str(one.pictures) for one in shown))
        for name in list(last.still)[:SHOWN]:
            rows.add_row(name, *(f"{100 * one.sites[name]:.1f} %" for one in shown))
        if len(last.still) > SHOWN:
            rows.add_row(f"and {len(last.still) - SHOWN} more", *("" for _ in shown))
        rows.add_row("mean of all", *(f"{100 * one.mean:.1f} %" for one in shown))
        result(rows)
    result(sentence(coverage))


def sentence(coverage: Coverage) -> str:
    """Whether more pictures are worth drawing."""
    last, limit = coverage.rounds[-1], f"{100 * coverage.limit:g} %"
    if coverage.covered:
        return (
            f"No range grew by more than {limit} from {last.before} to {last.pictures} pictures: these are "
            "enough."
        )
    return (
        f"{len(last.still)} of {len(last.sites)} ranges still grew by more than {limit} from {last.before} "
        f"to {last.pictures} pictures; give more prompts."
    )


def to_json(coverage: Coverage) -> dict[str, Any]:
    """All sites, round by round."""
    rounds = [
        {"pictures": one.pictures, "mean": one.mean, "growing": len(one.still), "sites": dict(one.sites)}
        for one in coverage.rounds
    ]
    return {"limit": coverage.limit, "covered": coverage.covered, "rounds": rounds}
