"""MLIR as a target: emitted by torch-mlir, run by IREE or by LLVM in this process."""

from __future__ import annotations

import time
import weakref
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ...ir.program import Program
from ...ir.storage.leftovers import temporary_folder
from ..target import Evidence, Runner, Target, Watch, ignore
from .execution.packages import missing
from .lowering.stages import STAGES

if TYPE_CHECKING:
    from torch_mlir import ir

SLOW = 0.1
"""From so many 10^9 multiply-accumulates a call on, LLVM runs only where it is asked for."""
ELIDED = 32
"""Constants of more elements are left out of what is printed."""


@dataclass(frozen=True)
class MlirTarget(Target):
    """`linalg` on tensors of integers. It takes the integer graph as it is, and imports torch-mlir or IREE
    only when it is used."""

    name: ClassVar[str] = "mlir"
    about: ClassVar[str] = "linalg on tensors of integers, for IREE, LLVM and other MLIR toolchains"
    runners: ClassVar[tuple[str, ...]] = ("iree", "llvm")
    caches: ClassVar[bool] = True
    stages: ClassVar[tuple[str, ...]] = STAGES

    def unavailable(self) -> str | None:
        return missing("mlir")

    def emit(self, program: Program, directory: Path, evidence: Evidence, watch: Watch = ignore) -> None:
        """Writes a module with its test vectors and a script that runs them."""
        from .emission.emit import emit
        from .emission.sizes import emit_sizes

        last = time.perf_counter()

        def told(stage: str, module: ir.Module) -> None:
            nonlocal last
            watch(stage, time.perf_counter() - last, lambda: _text(module))
            last = time.perf_counter()

        if program.sizes:
            vectors = {size: evidence.at(size).vectors for size in program.sizes}
            emit_sizes(program, directory, evidence.vectors, vectors, told)
        else:
            emit(program, directory, vectors=evidence.vectors, watch=told)

    def one_size_alone(self) -> None:
        """Nothing is in the way: each size is a module of its own over the same parameters."""

    def join(self, programs: Mapping[str, Program], directory: Path) -> None:
        """One project, with a module and an entry point for each part."""
        from .emission.joined import emit_joined

        emit_joined(programs, directory)

    def cannot_run(self, runner: str) -> str | None:
        return missing(runner)

    def too_slow(self, runner: str, billions: float) -> str | None:
        if runner != "llvm" or billions <= SLOW:
            return None
        return f"its loops are slow for {billions:.1f}e9 products a call; name it in --backends"

    def open(self, runner: str, program: Program, project: Path | None) -> Runner:
        return _llvm(program) if runner == "llvm" else _iree(program)


def _llvm(program: Program) -> Runner:
    from .execution.llvm import LlvmProgram

    return LlvmProgram(program).run


def _iree(program: Program) -> Runner:
    from .emission.emit import emit
    from .execution.iree import IreeProgram

    # A module that a bundle brings may be a stranger's, so it is written anew from the graph, which is data.
    stays = ExitStack()
    folder = stays.enter_context(temporary_folder("mlir"))
    emit(program, folder)
    loaded = IreeProgram(folder)
    # Its parameters are read from the folder while it lives.
    weakref.finalize(loaded, stays.close)
    return loaded.run


def _text(module: ir.Module) -> str:
    return str(
        module.operation.get_asm(
            large_elements_limit=ELIDED, large_resource_limit=ELIDED, use_name_loc_as_prefix=True
        )
    )
