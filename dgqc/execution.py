"""Runs the integer level through a backend, by the backend's name."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from .backends.c import find_compiler
from .ir.errors import DgqcError
from .ir.program import Program

Runner = Callable[[Mapping[str, torch.Tensor], int], torch.Tensor]
"""run(inputs, ordinal): int16 inputs by name, for one sample, to the int16 output."""

BACKENDS = ("reference", "c", "mlir")


def unavailable() -> dict[str, str]:
    """Backends that can't run here, with the reason."""
    reasons = {"mlir": "this version of dgqc does not emit MLIR"}
    try:
        find_compiler()
    except DgqcError as error:
        reasons["c"] = str(error).rstrip(".")
    return reasons


def default_backend() -> str:
    """The C program where a compiler is at hand, else the reference; both give the same bits."""
    return "reference" if "c" in unavailable() else "c"


def open_backend(name: str, program: Program, emitted: Path | None = None) -> Runner:
    """A runner for an integer-level program.

    emitted: folder of the C project where it was already emitted; it is copied, so nothing is built inside.
    Raises DgqcError when there is no such backend, or it can't run here.
    """
    if name not in BACKENDS:
        raise DgqcError(f"There is no backend {name!r}; choose one of {', '.join(BACKENDS)}.")
    if reason := unavailable().get(name):
        raise DgqcError(f"Backend {name} can't run: {reason}; or choose the reference backend.")
    return _reference(program) if name == "reference" else _c(program, emitted)


def _reference(program: Program) -> Runner:
    from .backends import reference

    def run(inputs: Mapping[str, torch.Tensor], step: int) -> torch.Tensor:
        return reference.run(program, inputs, step)

    return run


def _c(program: Program, emitted: Path | None) -> Runner:
    from .backends import c

    # Lives as long as the runner that closes over it.
    folder = tempfile.TemporaryDirectory(prefix="dgqc-c-")
    project = Path(folder.name) / "c"
    if emitted is None:
        c.emit(program, project)
    else:
        shutil.copytree(emitted, project)
    library = c.CProgram(project)

    def run(inputs: Mapping[str, torch.Tensor], step: int) -> torch.Tensor:
        assert folder.name
        return library.run(dict(inputs), step)

    return run
