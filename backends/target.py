"""What a backend says of itself: which passes it appends, how it emits, how it runs and why it can't.

A backend is a subclass of `Target`, found by its name through an entry point of the group `dgqc.backends`
(docs/writing-backends.md). Its module is imported whenever targets are listed, so what is heavy belongs into
its methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Protocol

import torch

from ..ir.arithmetic.factor_widths import REQUIRED, FactorWidths
from ..ir.arithmetic.operands import ensure_shapes
from ..ir.caching import FeatureCache, cached_node
from ..ir.drawing import Drawing, Watcher, Wish
from ..ir.errors import DgqcError, VerificationError
from ..ir.program import Program
from ..ir.vector import DrawingVector, Vector
from ..ir.verify.verifier import verify
from ..passes.base import Pass
from ..passes.manager.failures import PassError, snapshot
from ..passes.manager.instruments import Instrument
from ..passes.manager.manager import PassManager
from ..passes.manager.pipeline import parse_pipeline


class Runner(Protocol):
    """Runs one call."""

    def __call__(
        self, inputs: Mapping[str, torch.Tensor], step: int, cache: FeatureCache | None = None, /
    ) -> torch.Tensor:
        """int16 inputs by name, for one sample, to the int16 output.

        cache: of the drawing, for a program that has shallow calls; without one the call is full.
        """


Drawer = Callable[[Drawing, Watcher], torch.Tensor]
"""draw(drawing, progress): what is to be drawn, to the int16 picture in Q12."""

Painter = Callable[[Wish, int], torch.Tensor]
"""paint(wish, size): a picture of a prompt, to so many bytes, uint8."""

Watch = Callable[[str, float, Callable[[], str]], None]
"""watch(stage, seconds, text): told each stage of an emission, how long it took, and how to get what it left
as text."""


def ignore(stage: str, seconds: float, text: Callable[[], str]) -> None:
    """Watches nothing."""


class Evidence(Protocol):
    """What the reference computed, for the tests that a project brings. Each is computed when asked for."""

    @property
    def vectors(self) -> Sequence[Vector]:
        """UNet calls with what must come out."""

    @property
    def drawing(self) -> DrawingVector | None:
        """A whole drawing; None without a denoising loop, and where drawing takes minutes."""

    def at(self, size: str) -> Evidence:
        """Of the same model at another size."""


class Target(ABC):
    """A way for a program to leave: a frozen dataclass whose fields are its options, as those of passes are.

    name: kebab-case, unique; options are written `name{option=3}`. A bundle's folder for it has this name.
    about: one line for listings.
    runners: ways to run what it made, each with a name that no other target gives; empty where it runs
        nothing.
    favoured: whether it is emitted, and run, where nobody asks for anything else.
    multiplies: what it can multiply at once. Every program asks for `REQUIRED`, one choice for all targets.
    pass_modules: passes that it brings, by name, with the modules that define them.
    layout_module: where the dataclasses of its layouts are made storable; None without any.
    caches: whether it keeps values from call to call, for programs with shallow calls.
    stages: of its emission, as `--print-ir-after` knows them.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    runners: ClassVar[tuple[str, ...]] = ()
    favoured: ClassVar[bool] = False
    multiplies: ClassVar[FactorWidths] = REQUIRED
    pass_modules: ClassVar[Mapping[str, str]] = {}
    layout_module: ClassVar[str | None] = None
    caches: ClassVar[bool] = False
    stages: ClassVar[tuple[str, ...]] = ()

    def passes(self) -> str:
        """The pipeline that it appends to the integer graph, as text."""
        return ""

    def pass_names(self) -> tuple[str, ...]:
        """What these passes are called, in order."""
        return tuple(item.name for item in parse_pipeline(self.passes()))

    def unavailable(self) -> str | None:
        """Why nothing can be emitted here, or None."""
        return None

    @abstractmethod
    def emit(self, program: Program, directory: Path, evidence: Evidence, watch: Watch = ignore) -> None:
        """Writes a program that `lay_out` has laid out into a folder, to be made if anything is written."""

    def one_size_alone(self) -> str | None:
        """Why programs of several sizes (`Program.sizes`) can't be emitted as one project, or None."""
        return "it emits one program"

    def cannot_run(self, runner: str) -> str | None:
        """Why a runner can't work here, or None."""
        return None

    def peak(self) -> float | None:
        """Multiply-accumulates of bytes that one processor here does in a second at best, measured; None
        where that isn't known."""
        return None

    def too_slow(self, runner: str, billions: float) -> str | None:
        """Why a runner takes unbearably long for so many 10^9 multiply-accumulates a call, or None."""
        return None

    def open(self, runner: str, program: Program, project: Path | None) -> Runner:
        """Gets a runner ready.

        program: at the integer level, laid out or not. project: what a bundle holds of it, perhaps a
        stranger's: data may be used where it is what the program says, but nothing is to be compiled, run or
        built there.
        """
        raise DgqcError(f"The target {self.name} emits and runs nothing.")

    def open_drawer(self, runner: str, program: Program, project: Path | None) -> Drawer | None:
        """Its own denoising loop; None where it has none, and dgqc calls its runner step by step."""
        return None

    def open_painter(self, runner: str, programs: Mapping[str, Program]) -> Painter | None:
        """Its own way from a prompt to a picture, by the project that `join` writes; None where it has none.

        programs: of a pipeline, laid out or not, the UNet first, by what they are called.
        """
        return None

    def of_part(self, name: str) -> Target:
        """The target for another part of the same pipeline, which may stand in one application with it."""
        return self

    def join(self, programs: Mapping[str, Program], directory: Path) -> None:  # noqa: B027
        """Writes all programs of a pipeline as one project into a folder, which it makes if need be.

        programs: that this target has laid out, the UNet first, by what they are called.
        """

    def seconds_by_module(
        self, program: Program, inputs: Mapping[str, torch.Tensor], repeats: int
    ) -> Mapping[str, float]:
        """Where a call's time goes here, by the place in the model; empty where that can't be told.

        program: at the integer level, laid out or not. inputs: of one call. Raises DgqcError where its runner
        can't work here.
        """
        return {}

    def working_memory(self, program: Program) -> int | None:
        """Bytes that a program it has laid out needs besides its constants; None where that isn't planned."""
        return None

    def refuse_caches(self, program: Program) -> None:
        """Raises DgqcError for a program with shallow calls that the target can't run."""
        if not self.caches and cached_node(program.graph.graph) is not None:
            raise DgqcError(
                f"The target {self.name} keeps nothing from call to call, which cache-schedule asks for; "
                "leave the pass out, or take another target (c, for instance)."
            )

    def lay_out(
        self,
        program: Program,
        instruments: Sequence[Instrument] = (),
        *,
        verified: bool = True,
        stop_after: str | None = None,
    ) -> Program:
        """A copy of an integer program after this target's passes; the program itself where none is left.

        Passes whose facts the program has already aren't run again. verified: whether the result is verified,
        once. stop_after: the last pass to run.
        Raises DgqcError where the target can't multiply or cache as the program does, and as
        `PassManager.run` does.
        """
        found = self._laid_out(program, instruments, verified, stop_after)
        if not program.sizes:
            return found
        sizes = {name: self._laid_out(one, (), verified, stop_after) for name, one in program.sizes.items()}
        return replace(found, sizes=sizes)

    def _laid_out(
        self, program: Program, instruments: Sequence[Instrument], verified: bool, stop_after: str | None
    ) -> Program:
        """`lay_out`, of one size."""
        if not self.multiplies.hold(REQUIRED):
            has = self.multiplies
            raise DgqcError(
                f"The target {self.name} multiplies {has.factor} bits to {has.product}, but programs ask for "
                f"{REQUIRED.factor} to {REQUIRED.product}."
            )
        self.refuse_caches(program)
        passes = left_to_run(parse_pipeline(self.passes()), program.facts)
        if not passes:
            return program

        def passed(instruments: Sequence[Instrument], verify_each: bool) -> Program:
            own = replace(program, graph=snapshot(program))
            ensure_shapes(own)
            return PassManager(passes, instruments, verify_each).run(own, stop_after)

        try:
            laid_out = passed(instruments, verify_each=False)
            if verified:
                verify(laid_out)
        except (PassError, VerificationError):
            # Now it is worth the time to look after every pass: the first that breaks the graph is named.
            passed((), verify_each=True)
            raise
        return laid_out


def left_to_run(passes: Sequence[Pass], facts: frozenset[str]) -> Sequence[Pass]:
    """What is to be run of a pipeline: all after the last pass whose facts hold."""
    done = [place for place, item in enumerate(passes) if item.provides and item.provides <= facts]
    return passes[done[-1] + 1 :] if done else passes
