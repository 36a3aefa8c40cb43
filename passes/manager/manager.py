"""Runs a pipeline: checks it first, verifies after every pass, says what went wrong and where."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from ...ir.errors import DgqcError, PipelineError, VerificationError
from ...ir.level import Level
from ...ir.parallel import single_threaded
from ...ir.program import Program
from ...ir.progress import enter
from ...ir.storage.mapped import let_go_of_freed
from ...ir.typed import typed
from ...ir.verify.verifier import verify
from ..base import Pass
from .facts import check_order
from .failures import Before, broken_graph, unexpected
from .instruments import Instrument
from .registry import current_name

log = logging.getLogger("dgqc")


@typed
@dataclass(frozen=True)
class PassManager:
    """A pipeline ready to run.

    passes: in order.
    instruments: told before and after each pass.
    verify_each: whether the graph is verified before the first pass and after each one.
    """

    passes: Sequence[Pass]
    instruments: Sequence[Instrument] = ()
    verify_each: bool = True

    def check(self, start_level: Level, start_facts: frozenset[str] = frozenset()) -> None:
        """Raises PipelineError when a pass is missing or out of order; runs nothing."""
        check_order(self.passes, start_level, start_facts)

    @single_threaded()
    def run(self, program: Program, stop_after: str | None = None) -> Program:
        """Takes the program through the passes, to the end or to the last pass called `stop_after`.

        Raises PipelineError when the pipeline can't run, VerificationError when a pass leaves a broken
        graph, PassError when one fails unexpectedly; a pass's own DgqcError comes through, with its name.
        """
        passes = self._until(stop_after)
        check_order(passes, program.level, program.facts)
        if self.verify_each:
            verify(program)
        for position, item in enumerate(passes):
            enter(item.name, position + 1, len(passes))
            level = program.level
            program = self._run_one(item, passes[:position], program)
            if program.level is not level:
                # Graphs are cyclic: what the old level needs goes now, gigabytes of float weights for one.
                gc.collect()
            let_go_of_freed()
        return program

    def _run_one(self, item: Pass, done: Sequence[Pass], program: Program) -> Program:
        for instrument in self.instruments:
            instrument.before(item, program)
        before = Before.of(program)
        start = time.perf_counter()
        try:
            result = _with_facts(item, program.facts, item.run(program))
        except DgqcError as error:
            error.args = (f"Pass {item.name}: {error}",)
            raise
        except torch.OutOfMemoryError:
            raise  # of a device, which whoever chose it has a sentence for; no pass is to blame
        except Exception as error:
            raise unexpected(error, item, done, before) from error
        seconds = time.perf_counter() - start
        if self.verify_each:
            try:
                verify(result)
            except VerificationError as error:
                raise broken_graph(error, item, done, before) from error
        log.debug("%s: %.1f s", item.name, seconds)
        for instrument in self.instruments:
            instrument.after(item, result, seconds)
        return result

    def _until(self, stop_after: str | None) -> Sequence[Pass]:
        if stop_after is None:
            return self.passes
        wanted = current_name(stop_after)
        positions = [position for position, item in enumerate(self.passes) if item.name == wanted]
        if not positions:
            names = ", ".join(item.name for item in self.passes)
            raise PipelineError(
                f"There is no pass {stop_after} to stop after in the pipeline: it holds {names}."
            )
        return self.passes[: positions[-1] + 1]


def _with_facts(item: Pass, held: frozenset[str], result: Program) -> Program:
    """The level and the facts are the manager's business, whatever the pass returned."""
    return replace(result, level=item.leaves, facts=(held - item.invalidates) | item.provides)
