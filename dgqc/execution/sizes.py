"""Which of a program's sizes a sample has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import torch

from ..bundle.manifest import Provenance
from ..ir.errors import DgqcError
from ..ir.program import Program
from ..ir.sample_size import size_of, size_text

_AnyProgram = TypeVar("_AnyProgram")


class OfSizes(Protocol):
    """A compiled program."""

    program: Program

    @property
    def sizes(self) -> Mapping[str, Any]:
        """Others, by their size."""


def programs_by_size(compiled: OfSizes) -> dict[str, Any]:
    """The program and those of other sizes, by the size of the sample that each takes: `64x96`."""
    return {size_text(size_of(compiled.program.inputs[0].shape)): compiled, **compiled.sizes}


def programs_of(compiled: OfSizes, size: str | None) -> dict[str, Any]:
    """The one of a size, or all of them. Raises DgqcError for no such size."""
    every = programs_by_size(compiled)
    return every if size is None else {size: chosen_size(size, every)}


def provenance_at(provenance: Provenance, program: Program) -> Provenance:
    """The provenance of the same model at the size of another of its programs."""
    shapes = {one.name: one.shape for one in program.inputs}
    inputs = tuple(replace(one, shape=shapes.get(one.name, one.shape)) for one in provenance.inputs)
    return replace(provenance, inputs=inputs)


def chosen_size(size: str | Sequence[int] | torch.Tensor, programs: Mapping[str, _AnyProgram]) -> _AnyProgram:
    """The program for a size: `64x96`, (64, 96), or a sample that has it. Raises DgqcError for no such."""
    shape = size_of(size.shape) if isinstance(size, torch.Tensor) else size
    name = shape if isinstance(shape, str) else size_text(shape)
    if name not in programs:
        raise DgqcError(
            f"The program has no size {name}; it has {', '.join(programs)}. Compile with --sample-size for "
            "others."
        )
    return programs[name]
