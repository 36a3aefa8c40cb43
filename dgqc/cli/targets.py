"""`--target` and `dgqc targets`: what programs can leave as."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

import typer

from ..backends.registry import target_names
from . import options
from .console import as_json, result

if TYPE_CHECKING:
    from ..backends.target import Target
    from ..passes.manager.instruments import Timing

TARGET_HELP = f"What to emit, with options: {', '.join(target_names())}; c{{weights=file}},mlir for instance."


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("targets")(targets)


def targets(json: options.Json = False) -> None:
    """List the targets: their passes, what they run, what is missing."""
    from ..backends.registry import known_targets
    from ..report.table import table

    described = [_describe(one()) for one in known_targets()]
    if json:
        as_json(described)
        return
    listing = table("target", "what it is", "options", "passes", "runs")
    for column in listing.columns:
        column.justify = "left"
    for one in described:
        cells = (one["name"], one["about"], one["options"], one["passes"], one["runners"])
        listing.add_row(*("\n".join(cell) if isinstance(cell, list) else cell for cell in cells))
    result(listing)
    for one in described:
        for what, reason in one["missing"].items():
            result(f"{what}: {reason}.")


def stage_names(chosen: Sequence[Target]) -> list[str]:
    """What `--print-ir-after` can name of targets: their passes, and the stages of their emission."""
    return [name for target in chosen for name in (*target.pass_names(), *target.stages)]


class StageWatch:
    """Told each stage of an emission; prints some and notes how long each took."""

    def __init__(self, printed: Sequence[str], stream: TextIO, clock: Timing) -> None:
        """printed: names of stages, or "all"."""
        self._printed, self._stream, self._clock = printed, stream, clock

    def __call__(self, stage: str, seconds: float, text: Callable[[], str]) -> None:
        self._clock.note(stage, seconds)
        if stage in self._printed or "all" in self._printed:
            self._stream.write(f"// after {stage}\n{text()}\n")


def _describe(target: Target) -> dict[str, Any]:
    from ..passes.manager.options import options_of, write_value

    reasons = {name: target.cannot_run(name) for name in target.runners}
    reasons[target.name] = target.unavailable() or reasons.get(target.name)
    return {
        "name": target.name,
        "about": target.about,
        "options": [f"{one.name}={write_value(one.default)}" for one in options_of(type(target))],
        "passes": list(target.pass_names()),
        "runners": list(target.runners),
        "missing": {name: reason for name, reason in reasons.items() if reason is not None},
    }
