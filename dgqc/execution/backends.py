"""Runs the integer level through a backend, by the name of a target's runner."""

from __future__ import annotations

from pathlib import Path

import torch

from ..backends.registry import REFERENCE, find_runner, known_targets
from ..backends.target import Drawer, Runner, Target
from ..ir.caching import calls_of
from ..ir.drawing import Drawing, Watcher
from ..ir.errors import DgqcError
from ..ir.program import Program
from ..ir.verify.verifier import verify


def unavailable() -> dict[str, str]:
    """Runners that can't work here, with the reason."""
    found = {name: target().cannot_run(name) for target in known_targets() for name in target.runners}
    return {name: reason for name, reason in found.items() if reason is not None}


def default_backend() -> str:
    """The first favoured runner that can work here, else the reference; all give the same bits."""
    favoured = ((target(), name) for target in known_targets() if target.favoured for name in target.runners)
    return next((name for target, name in favoured if target.cannot_run(name) is None), REFERENCE)


def check_backend(name: str | None, program: Program) -> None:
    """Raises DgqcError as `open_backend` does, before anything is opened. name: as in `run`."""
    if name is not None:
        _able(name, program)


def open_backend(name: str, program: Program, bundle: Path | None = None) -> Runner:
    """A runner for an integer-level program.

    bundle: its folder, if it has one, whose emitted projects are used; nothing is built inside.
    Raises DgqcError when there is no such runner, or it can't work here.
    """
    target = _able(name, program)
    _refuse_broken(program, target, bundle)
    return target.open(name, program, _project(target, bundle))


def open_drawer(name: str, program: Program, bundle: Path | None = None) -> Drawer:
    """The denoising loop of an integer-level program: some targets draw by themselves, others call by call.

    Raises DgqcError as `open_backend` does, and for a program without a loop.
    """
    loop = program.loop
    if loop is None:
        raise DgqcError('The program has no denoising loop; compile it with --loop own (loop="own").')
    target = _able(name, program)
    _refuse_broken(program, target, bundle)
    own = target.open_drawer(name, program, _project(target, bundle))
    if own is not None:
        return own
    run = target.open(name, program, _project(target, bundle))

    def draw(drawing: Drawing, progress: Watcher) -> torch.Tensor:
        return loop.run(calls_of(run, program), drawing, progress)

    return draw


def _able(name: str, program: Program) -> Target:
    target = find_runner(name)()
    if reason := target.cannot_run(name):
        raise DgqcError(f"Backend {name} can't run: {reason}; or choose the reference backend.")
    target.refuse_caches(program)
    return target


def _refuse_broken(program: Program, target: Target, bundle: Path | None) -> None:
    """Raises VerificationError for a stranger's program that breaks its level's rules: an index beyond its
    table, a value of another size than memory is planned for.

    Where a target has passes, laying out verifies the program, and what was built is known by its hash.
    """
    if bundle is not None and not target.passes():
        verify(program)


def _project(target: Target, bundle: Path | None) -> Path | None:
    """Where a bundle holds what a target emitted."""
    folder = None if bundle is None else bundle / target.name
    return folder if folder is not None and folder.is_dir() else None
