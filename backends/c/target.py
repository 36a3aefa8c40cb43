"""C as a target: what it lays out, emits, compiles and runs."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import torch

from ...ir.errors import DgqcError
from ...ir.program import Program
from ...ir.storage.leftovers import temporary_folder
from ...ir.telling import tell
from ...ir.verify.verifier import verify
from ...passes.manager.pipeline import format_configured
from ..target import Drawer, Evidence, Painter, Runner, Target, Watch, ignore
from .emission.drawing import draws
from .emission.emit import emit
from .emission.joined import emit_joined
from .emission.storage import Storage
from .execution.build import build
from .execution.built_before import built_before, record_of, remember
from .execution.peak import int8_peak
from .execution.run import CProgram
from .execution.timing import seconds_by_module
from .execution.toolchain import find_compiler
from .layout.plan import layout_of

LAYOUT = f"{__package__}.layout"


@dataclass(frozen=True)
class CTarget(Target):
    """C99 without libc, allocation or floating point.

    prefix: what symbols and files begin with; two programs in one application need two. weights: where the
    constants go; none chooses by their size. tile: KiB that a thread may have for itself,
    little for a microcontroller; none is half a core's cache.
    """

    name: ClassVar[str] = "c"
    about: ClassVar[str] = "C99 without libc, allocation or floating point"
    runners: ClassVar[tuple[str, ...]] = ("c",)
    favoured: ClassVar[bool] = True
    caches: ClassVar[bool] = True
    pass_modules: ClassVar[Mapping[str, str]] = {
        "split-products": f"{LAYOUT}.split_products",
        "permute-channels": f"{LAYOUT}.permute_channels",
        "permute-keys": f"{LAYOUT}.permute_keys",
        "cut-bands": f"{LAYOUT}.cut_bands",
        "fuse-rows": f"{LAYOUT}.fuse_rows",
        "plan-memory": f"{LAYOUT}.plan_memory",
    }
    layout_module: ClassVar[str | None] = f"{LAYOUT}.plan"

    prefix: str = "model"
    weights: Storage | None = None
    tile: int | None = None

    def passes(self) -> str:
        rows = "fuse-rows" if self.tile is None else f"fuse-rows{{tile={self.tile},rows=1}}"
        return f"split-products,permute-channels,permute-keys,cut-bands,{rows},plan-memory"

    def emit(self, program: Program, directory: Path, evidence: Evidence, watch: Watch = ignore) -> None:
        """Writes a C project with its tests."""
        emit(
            program,
            directory,
            name=self.prefix,
            vectors=evidence.vectors,
            drawing=evidence.drawing,
            storage=self.weights,
            vectors_by_size={size: evidence.at(size).vectors for size in program.sizes},
        )

    def one_size_alone(self) -> str | None:
        return (
            "constants that are read while a program runs are one program's"
            if self.weights is Storage.STREAM
            else None
        )

    def of_part(self, name: str) -> CTarget:
        return replace(self, prefix=f"{self.prefix}_{name}")

    def join(self, programs: Mapping[str, Program], directory: Path) -> None:
        """One C project: one arena, one file of constants, which is read while programs run where that is
        asked for."""
        storage = Storage.STREAM if self.weights is Storage.STREAM else Storage.FILE
        emit_joined(programs, directory, self.prefix, storage)

    def cannot_run(self, runner: str) -> str | None:
        try:
            find_compiler()
        except DgqcError as error:
            return str(error).rstrip(".")
        return None

    def peak(self) -> float | None:
        try:
            return int8_peak()
        except DgqcError:  # There is no compiler, or it can't build the loop.
            return None

    def open(self, runner: str, program: Program, project: Path | None) -> Runner:
        library = self._library(program, project)
        return library.run

    def open_drawer(self, runner: str, program: Program, project: Path | None) -> Drawer:
        return self._library(program, project).draw

    def seconds_by_module(
        self, program: Program, inputs: Mapping[str, torch.Tensor], repeats: int
    ) -> Mapping[str, float]:
        verify(program)
        return seconds_by_module(self.lay_out(program, verified=False), inputs, repeats)

    def open_painter(self, runner: str, programs: Mapping[str, Program]) -> Painter | None:
        from .execution.painter import CPainter

        for one in programs.values():
            verify(one)  # A stranger's graph must keep the rules, or C writes anywhere.
        laid_out = {name: self.lay_out(one, verified=False) for name, one in programs.items()}
        return CPainter(laid_out).draw if draws(laid_out) else None

    def working_memory(self, program: Program) -> int | None:
        memory = layout_of(program).memory
        return None if memory is None else memory.arena_bytes(1)

    def _library(self, program: Program, project: Path | None) -> CProgram:
        record = record_of(program, format_configured(self))
        before = built_before(record, project) if record else None
        if before is not None:
            tell(f"Built before from the same graph: {before.library}.")
            return CProgram(before)
        tell(f"Laying out and emitting C for {self.prefix}.")
        # What a bundle brings may be a stranger's: C is written anew from the graph, which is data, and only
        # constants that are the graph's are taken from there.
        stays = ExitStack()
        folder = stays.enter_context(temporary_folder("c"))
        # A stranger's graph must keep the rules, or C writes anywhere. What our passes make of one that does
        # is verified when a bundle is saved.
        verify(program)
        laid_out = self.lay_out(program, verified=False)
        emit(laid_out, folder, name=self.prefix, storage=self.weights, shipped=project)
        built = build(folder)
        library = CProgram(built)
        if record:
            remember(record, built)
        # The folder goes when the library does.
        weakref.finalize(library, stays.close)
        return library
