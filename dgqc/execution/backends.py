"""Runs the integer level through a backend, by the backend's name."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from ..backends import mlir
from ..backends.c import CProgram, find_compiler
from ..ir.errors import DgqcError
from ..ir.program import Program

Runner = Callable[[Mapping[str, torch.Tensor], int], torch.Tensor]
"""run(inputs, ordinal): int16 inputs by name, for one sample, to the int16 output."""

Drawer = Callable[[torch.Tensor, Mapping[str, torch.Tensor]], torch.Tensor]
"""draw(noise, conditions): int16 noise in Q12 and the other inputs by name, to the int16 picture in Q12."""

BACKENDS = ("reference", "c", "iree", "llvm")
C_PROJECT, MLIR_PROJECT = "c", "mlir"
"""Where emitted projects lie in a bundle."""


def unavailable() -> dict[str, str]:
    """Backends that can't run here, with the reason."""
    reasons = {}
    try:
        find_compiler()
    except DgqcError as error:
        reasons["c"] = str(error).rstrip(".")
    absent = {name: mlir.missing(name) for name in ("iree", "llvm")}
    return {**reasons, **{name: reason for name, reason in absent.items() if reason}}


def default_backend() -> str:
    """The C program where a compiler is at hand, else the reference; both give the same bits."""
    return "reference" if "c" in unavailable() else "c"


def open_backend(name: str, program: Program, bundle: Path | None = None) -> Runner:
    """A runner for an integer-level program.

    bundle: its folder, if it has one, whose emitted projects are used; nothing is built inside.
    Raises DgqcError when there is no such backend, or it can't run here.
    """
    if name not in BACKENDS:
        raise DgqcError(f"There is no backend {name!r}; choose one of {', '.join(BACKENDS)}.")
    if reason := unavailable().get(name):
        raise DgqcError(f"Backend {name} can't run: {reason}; or choose the reference backend.")
    runners: dict[str, Callable[[Program, Path | None], Runner]] = {
        "reference": _reference,
        "c": _c,
        "iree": _iree,
        "llvm": _llvm,
    }
    return runners[name](program, bundle)


def open_drawer(name: str, program: Program, bundle: Path | None = None) -> Drawer:
    """The denoising loop of an integer-level program: emitted C draws by itself, others call by call.

    Raises DgqcError as `open_backend` does, and for a program without a loop.
    """
    loop = program.loop
    if loop is None:
        raise DgqcError('The program has no denoising loop; compile it with --loop ddim (loop="ddim").')
    if name == "c" and name not in unavailable():
        return _c_library(program, bundle).draw
    run, sample = open_backend(name, program, bundle), program.inputs[0].name

    def draw(noise: torch.Tensor, conditions: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return loop.run(lambda codes, step: run({sample: codes, **conditions}, step), noise)

    return draw


def _reference(program: Program, bundle: Path | None) -> Runner:
    from ..backends import reference

    def run(inputs: Mapping[str, torch.Tensor], step: int) -> torch.Tensor:
        return reference.run(program, inputs, step)

    return run


def _c(program: Program, bundle: Path | None) -> Runner:
    library = _c_library(program, bundle)
    return lambda inputs, step: library.run(dict(inputs), step)


def _c_library(program: Program, bundle: Path | None) -> CProgram:
    from ..backends import c

    if bundle is not None and (bundle / C_PROJECT).is_dir():
        return c.CProgram(bundle / C_PROJECT)
    folder = tempfile.TemporaryDirectory(prefix="dgqc-c-")
    c.emit(program, Path(folder.name))
    library = c.CProgram(Path(folder.name))
    # The folder goes when the library does.
    weakref.finalize(library, folder.cleanup)
    return library


def _iree(program: Program, bundle: Path | None) -> Runner:
    from ..backends.mlir.execution.iree import IreeProgram

    if bundle is not None and (bundle / MLIR_PROJECT).is_dir():
        return IreeProgram(bundle / MLIR_PROJECT).run
    from ..backends.mlir.emission.emit import emit

    folder = tempfile.TemporaryDirectory(prefix="dgqc-mlir-")
    emit(program, Path(folder.name))
    loaded = IreeProgram(Path(folder.name))
    # Its parameters are read from the folder while it lives.
    weakref.finalize(loaded, folder.cleanup)
    return loaded.run


def _llvm(program: Program, bundle: Path | None) -> Runner:
    from ..backends.mlir.execution.llvm import LlvmProgram

    return LlvmProgram(program).run
