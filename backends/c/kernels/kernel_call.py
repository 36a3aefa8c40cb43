"""What a kernel call is made of: values that can be written as C, or passed as they are (tests do that)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import torch
from torch import fx

from ....ir.errors import UnsupportedOperation


class MemoryRegion(StrEnum):
    """Where memory comes from."""

    ARENA = "arena"
    THREAD = "thread"
    """A thread's part of the arena."""
    CACHE = "cache"
    """What outlives a call."""
    OUTPUT = "output"
    INPUT = "input"
    CONSTANT = "constant"


@dataclass(frozen=True)
class Place:
    """A pointer.

    base: the C expression of the memory it points into. offset: bytes after it.
    step_bytes: bytes after it for each step, of a table whose rows are steps.
    tensor, start: of constants only, their values and where they begin in the block of all constants.
    row_bytes: bytes after it for each row before the block's first; 0 where it points at the beginning.
    """

    region: MemoryRegion
    base: str
    offset: int = 0
    step_bytes: int = 0
    tensor: torch.Tensor | None = None
    row_bytes: int = 0
    start: int = 0

    @property
    def text(self) -> str:
        """As a C expression."""
        terms = [str(self.start + self.offset)] if self.start + self.offset else []
        terms += [f"{STEP} * {self.step_bytes}"] if self.step_bytes else []
        terms += [f"rows.first * {self.row_bytes}"] if self.row_bytes else []
        offset = " + ".join(terms) or "0"
        if self.region in (MemoryRegion.INPUT, MemoryRegion.OUTPUT) and not terms:
            return self.base
        read = self.region in (MemoryRegion.INPUT, MemoryRegion.CONSTANT)
        return f"dgqc_{'inside' if read else 'at'}({self.base}, {offset})"

    def after(self, offset: int) -> Place:
        """So many bytes after this one."""
        return replace(self, offset=self.offset + offset)

    def by_rows(self, row_bytes: int) -> Place:
        """The same value, read or written at a block's rows. A thread buffer holds no other rows than
        these."""
        return self if self.region is MemoryRegion.THREAD else replace(self, row_bytes=row_bytes)


@dataclass(frozen=True)
class Struct:
    """A parameter struct's fields by name."""

    fields: dict[str, Any]


def struct(**fields: Any) -> Struct:
    """Fields may be numbers, truth values, places, None, other structs, or tuples of numbers."""
    return Struct(fields)


def text(value: Any) -> str:
    """A field or argument as C."""
    if value is None:
        return "NULL"
    if isinstance(value, Struct):
        return "{" + ", ".join(f".{name} = {text(item)}" for name, item in value.fields.items()) + "}"
    if isinstance(value, tuple):
        return "{" + ", ".join(text(item) for item in value) + "}"
    if isinstance(value, Place):
        return value.text
    return value if isinstance(value, str) else str(int(value))


Argument = Place | int | str | None
STEP = "run->step"
"""The argument that is the step itself."""
ROWS = "rows"
"""The argument that says which rows a call computes."""


@dataclass(frozen=True)
class Reduction:
    """A loop over all rows that a kernel needs before its own: `dgqc_KERNEL_reduce_rows` for each block, then
    `dgqc_KERNEL_reduce_end` once. Both take the call's parameters first.

    kernel: its name without `dgqc_`. rows, end: the arguments of the two functions.
    """

    kernel: str
    rows: tuple[Argument, ...]
    end: tuple[Argument, ...]


@dataclass(frozen=True)
class KernelCall:
    """One call of a kernel.

    kernel: its name without `dgqc_`. arguments: what follows the parameters.
    parameters: its struct, None where it has none. kind: of the struct, where it isn't called as the kernel.
    by_rows: the function is `dgqc_KERNEL_rows`, called for each block of rows; otherwise `dgqc_KERNEL`,
    called once. prepare: arguments of `dgqc_KERNEL_prepare`, called once before all blocks; None where there
    is nothing to prepare.
    """

    kernel: str
    arguments: tuple[Argument, ...]
    parameters: Struct | None = None
    kind: str = ""
    by_rows: bool = False
    prepare: tuple[Argument, ...] | None = None
    reduction: Reduction | None = None

    @property
    def struct_type(self) -> str:
        return f"dgqc_{self.kind or self.kernel}_parameters"


def unsupported(node: fx.Node, found: str, expected: str) -> UnsupportedOperation:
    """An op that has a kernel, but not for this."""
    return UnsupportedOperation(f"{node.name} ({node.target}) has {found}; the C backend takes {expected}.")
