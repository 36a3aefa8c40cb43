"""What is compared: presets by name, and the passes behind them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..ir.errors import DgqcError
from ..ir.level import Level
from ..passes.base import Pass
from ..passes.manager.methods import METHODS, OURS
from ..passes.manager.pipeline import format_pipeline, parse_pipeline
from ..passes.manager.presets import pipeline_for
from ..passes.simulation.measure_error import MeasureError
from ..report.widths import FLOAT as FLOAT_WIDTHS
from ..report.widths import Widths, decided

FLOAT = "float"
OWN = "ours"
SIMULATED = ":simulated"
_WIDTHS = re.compile(r"w\d+a\d+")


@dataclass(frozen=True)
class Candidate:
    """One way to quantize.

    name: what its row is called. passes: all of them, as text; empty for the float model.
    """

    name: str
    passes: str

    @cached_property
    def pipeline(self) -> tuple[Pass, ...]:
        return parse_pipeline(self.passes)

    @property
    def widths(self) -> Widths:
        """As its passes' options settle them."""
        return decided(self.pipeline) if self.pipeline else FLOAT_WIDTHS

    @property
    def runs_as(self) -> str:
        """integers, simulation or float."""
        if not self.pipeline:
            return FLOAT
        return "integers" if self.pipeline[-1].leaves is Level.INTEGER else "simulation"


def candidate(name: str) -> Candidate:
    """The candidate of a preset: `w4a6`, `eda-w4a6,iterations=200`, `w4a6:simulated`, `float`.

    Raises PipelineError for an unknown preset.
    """
    if name == FLOAT:
        return Candidate(FLOAT, "")
    preset = name.removesuffix(SIMULATED)
    made = Candidate(name, format_pipeline(parse_pipeline(pipeline_for(preset))))
    return simulation(made) if name.endswith(SIMULATED) else made


def simulation(one: Candidate) -> Candidate:
    """The simulation of a candidate's plan: its passes up to the last decision, then `simulate`."""
    earlier = [p for p in one.pipeline if p.leaves is Level.CAPTURED]
    planned = [p for p in one.pipeline if p.leaves is Level.PLANNED and not isinstance(p, MeasureError)]
    passes = format_pipeline([*earlier, *planned, *parse_pipeline("simulate")])
    return Candidate(one.name.removesuffix(SIMULATED) + SIMULATED, passes)


def candidates(
    presets: Sequence[str], bits: Sequence[str], options: Mapping[str, str], simulated: bool
) -> list[Candidate]:
    """Every preset at every width, methods outermost.

    presets: methods, `ours` among them, or presets that name their width already. bits: `w4a6`, `w8a8g16`.
    options: go to the presets that take them. simulated: with each integer program's simulation after it.
    Raises DgqcError for an unknown method, PipelineError for an unknown preset.
    """
    found: list[Candidate] = []
    for method in presets:
        for name in [method] if _complete(method) else [_named(method, width) for width in bits]:
            one = candidate(name + _options(name, options))
            found.append(one)
            if simulated and one.runs_as == "integers":
                found.append(simulation(one))
    return list({one.name: one for one in found}.values())


def _complete(name: str) -> bool:
    return name == FLOAT or bool(_WIDTHS.search(name))


def _named(method: str, width: str) -> str:
    if method not in (OWN, *METHODS):
        raise DgqcError(
            f"There is no method {method!r} to compare; choose among {', '.join((OWN, *METHODS))}, or write "
            "whole presets such as w4a6g16."
        )
    return width if method == OWN else f"{method}-{width}"


def _options(name: str, options: Mapping[str, str]) -> str:
    if name == FLOAT:
        return ""
    method = next((m for m in sorted(METHODS, key=len, reverse=True) if name.startswith(f"{m}-")), None)
    known = METHODS[method].settings if method else OURS.settings
    return "".join(f",{key}={value}" for key, value in options.items() if key in known)
