"""How a candidate runs: as integers where it has them, else as the simulation of its plan."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from ..compiler.driver import finish
from ..execution.compiled_program import CompiledProgram
from ..execution.named_step import named_step, one_timestep
from ..ir.caching import CachingGraph, FeatureCache
from ..ir.calibration import Inputs
from ..ir.errors import DgqcError
from ..ir.level import Level
from ..ir.program import Program
from ..passes.graph.batches import arguments
from ..passes.manager.manager import PassManager
from ..report.report import entry_with, summarize
from ..report.widths import Planned
from .candidates import Candidate
from .observing import remembering
from .workload import Workload


class SimulatedProgram:
    """A program at the simulated level, called as a compiled one is."""

    def __init__(self, program: Program) -> None:
        self.program = replace(program, calibration=None)
        self._caching = CachingGraph(program.graph)

    def answer(
        self,
        inputs: Inputs,
        timestep: torch.Tensor | float | None = None,
        *,
        step: int | None = None,
        backend: str | None = None,
        allow_nearest_step: bool = False,
        caches: Sequence[FeatureCache] | None = None,
    ) -> torch.Tensor:
        """One UNet call, as `CompiledProgram.answer`. There is one backend, and no nearest step."""
        time = None if timestep is None else one_timestep(timestep)
        found = named_step(self.program.schedule, time, step)
        with torch.no_grad():
            if caches:
                return torch.cat([self._row(inputs, found, row, one) for row, one in enumerate(caches)])
            given = arguments(self.program, inputs)
            return torch.cat([self.program.graph(*batch, torch.tensor(found)) for batch in given])

    def _row(self, inputs: Inputs, step: int, row: int, cache: FeatureCache) -> torch.Tensor:
        own = {name: value[row : row + 1] for name, value in inputs.items()}
        (given,) = arguments(self.program, own)
        return self._caching.run(cache, step, *given)


Executable = CompiledProgram | SimulatedProgram


def build(one: Candidate, workload: Workload) -> Executable:
    """Takes a copy of the captured model through a candidate's passes.

    Raises DgqcError where they end at a level that can't be run as a whole.
    """
    start = workload.start
    captured = start.program[0]
    copied = replace(copy.deepcopy(replace(captured, calibration=None)), calibration=captured.calibration)
    planned = Planned()
    program = PassManager(remembering(one.pipeline, workload.observed), [planned]).run(copied)
    if program.level is Level.INTEGER:
        program = program.with_report("summary", summarize(start.costs, planned, program))
        request = workload.request_for(one.passes).recorded()
        return finish(program, replace(start.provenance, request=request, pipeline=one.passes))
    if program.level is Level.SIMULATED:
        return SimulatedProgram(program)
    raise DgqcError(
        f"The passes of {one.name} end at the {program.level} level; end with simulate or at the integers."
    )


def call(program: Executable, inputs: Inputs, step: int) -> torch.Tensor:
    """One UNet call on a batch."""
    return program.answer(inputs, step=step)


def facts(program: Executable) -> dict[str, Any]:
    """What its passes found out: sizes and the error of each layer, of integer programs only."""
    report = program.program.report
    summary: Mapping[str, Any] = report.get("summary", {})
    errors = entry_with(report, "decibels")
    integers = [found for found in errors.get("integers", {}).values() if found is not None]
    return {
        "size_mb": summary.get("size_mb"),
        "table_bytes": summary.get("table_bytes"),
        "layers_db": errors.get("decibels", {}),
        "integers_db": min(integers, default=None),
    }
