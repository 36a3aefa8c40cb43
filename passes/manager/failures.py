"""What a user reads when a pass fails: the pass, the passes before it, the node, and how to see it again."""

from __future__ import annotations

import copy
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import torch
from torch import fx

from ...ir.errors import DgqcError, VerificationError
from ...ir.program import Program
from ...ir.storage.leftovers import remove_old, unfinished_name
from ...ir.storage.serialize import save_program
from ...ir.tensors import constants
from ..base import Pass
from .kept_graph import KeptGraph
from .pipeline import format_pass

FAILED = "dgqc-failed"
"""What the folders with graphs of failed passes begin with."""


class PassError(DgqcError):
    """A pass raised something it shouldn't have: an error of the pass, not of the user."""


@dataclass(frozen=True)
class Before:
    """A program as it was before a pass, which may change the graph in place. Tensors are shared.

    A module around the graph is only made when somebody asks: its code takes longer to write than the pass.
    """

    program: Program
    graph: KeptGraph
    tensors: Mapping[str, torch.Tensor]

    @staticmethod
    def of(program: Program) -> Before:
        return Before(program, KeptGraph.of(program.graph.graph), dict(constants(program.graph)))

    def restored(self) -> Program:
        """The program, runnable."""
        return replace(self.program, graph=fx.GraphModule(dict(self.tensors), self.graph.restored()))


def snapshot(program: Program) -> fx.GraphModule:
    """A copy of a program's graph that a pass can't change; tensors are shared."""
    return fx.GraphModule(program.graph, copy.deepcopy(program.graph.graph))


def broken_graph(
    error: VerificationError, item: Pass, done: Sequence[Pass], before: Before
) -> VerificationError:
    """The error for a graph that breaks its level's rules after a pass."""
    return VerificationError(f"{_after(item, done)} left a broken graph: {error}", reproducer(item, before))


def unexpected(error: Exception, item: Pass, done: Sequence[Pass], before: Before) -> PassError:
    """The error for any exception that isn't a DgqcError."""
    node = _node_at_work(error.__traceback__)
    where = f" at the node {node.name} (module {node.meta.get('module') or 'unknown'})" if node else ""
    detail = str(error).strip().splitlines()
    what = f"{type(error).__name__}: {detail[0]}" if detail else type(error).__name__
    return PassError(
        f"{_after(item, done)} failed{where} with {what}; this is an error of the pass, please report it "
        "with the saved graph.",
        reproducer(item, before),
    )


def reproducer(item: Pass, before: Before) -> str:
    """Saves the graph before the pass into a folder of its own, and says how to run the pass on it again.

    Such folders are for the user: they stay until one more is saved after a week.
    """
    temporary = Path(tempfile.gettempdir())
    remove_old(temporary, FAILED)
    folder = str(temporary / unfinished_name(f"{FAILED}-{item.name}"))
    try:
        save_program(before.restored(), folder)
    except Exception as error:  # A failure to save must not hide the failure being reported.
        return f"The graph before the pass could not be saved ({type(error).__name__}: {error})."
    pipeline = shlex.quote(format_pass(item))
    # A quoted pipeline is easier to extend by hand, even where the shell would not need the quotes.
    quoted = pipeline if pipeline.startswith("'") else f"'{pipeline}'"
    return f"Reproduce it with:\n  dgqc opt {shlex.quote(folder)} --pass-pipeline={quoted}"


def _after(item: Pass, done: Sequence[Pass]) -> str:
    names = ", ".join(other.name for other in done)
    return f"Pass {item.name} ({f'after {names}' if names else 'the first to run'})"


def _node_at_work(traceback: TracebackType | None) -> fx.Node | None:
    """The node that the innermost frame with a variable `node` was working on."""
    found = None
    while traceback is not None:
        candidate = traceback.tb_frame.f_locals.get("node")
        found = candidate if isinstance(candidate, fx.Node) else found
        traceback = traceback.tb_next
    return found
