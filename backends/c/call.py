"""What a kernel call is made of: values that can be written as C, or passed as they are (tests do that)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import fx

from ...ir.errors import UnsupportedOperation


class Region(StrEnum):
    """Where memory comes from."""

    ARENA = "arena"
    OUTPUT = "output"
    INPUT = "input"
    CONSTANT = "constant"


@dataclass(frozen=True)
class Place:
    """A pointer.

    base: the C expression of the memory it points into. offset: bytes behind it.
    step_elements: elements behind it for each step, of a table whose rows are steps.
    tensor: of constants only, their values.
    """

    region: Region
    base: str
    offset: int = 0
    step_elements: int = 0
    tensor: torch.Tensor | None = None

    @property
    def text(self) -> str:
        """As a C expression."""
        if self.region is Region.ARENA or (self.region is Region.OUTPUT and self.offset):
            return f"dgqc_at({self.base}, {self.offset})"
        row = f"{self.base} + step * {self.step_elements}" if self.step_elements else self.base
        return f"dgqc_inside({row}, {self.offset})" if self.offset else row


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


STEP = "step"
"""The argument that is the step itself."""
Argument = Place | int | str | None


@dataclass(frozen=True)
class Call:
    """One call of a kernel.

    kernel: its name without `dgqc_`. arguments: what follows the parameters.
    parameters: its struct, None where it has none. kind: of the struct, where it isn't called as the kernel.
    """

    kernel: str
    arguments: tuple[Argument, ...]
    parameters: Struct | None = None
    kind: str = ""

    @property
    def struct_type(self) -> str:
        return f"dgqc_{self.kind or self.kernel}_parameters"


def unsupported(node: fx.Node, found: str, expected: str) -> UnsupportedOperation:
    """An op that has a kernel, but not for this."""
    return UnsupportedOperation(f"{node.name} ({node.target}) has {found}; the C backend takes {expected}.")


Rule = Callable[[fx.Node, dict[str, Any], Any], "Call | list[Call]"]
"""rule(node, its arguments by name, scope): the calls that compute a node; scope is a `rules.Scope`."""
