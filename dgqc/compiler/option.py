"""One option of a compile, as a field of `Request` declares it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import Field, dataclass, fields
from typing import Any

from ..ir.errors import DgqcError
from ..ir.typed import check_type, hint_of

OPTION = "option"
"""Key of a field's metadata."""
LARGEST_SEED = 2**32 - 1
"""All that draw random numbers, in C and in libraries, take seeds up to here."""


def unchanged(value: Any) -> Any:
    """What a command line gives is the value."""
    return value


@dataclass(frozen=True)
class RequestOption:
    """What people, the command line and the manifest need to know of a field.

    help: one sentence, for all of them. python: what Python's documentation adds.
    flags: how the command line spells it; without one it takes no such option. kind: what is read there, a
    Path, an int or text. metavar: stands for the value in its help. read: from there to the field's value.
    least, most: the numbers allowed. choices: the only texts allowed.
    recorded: whether the manifest and cache keys hold the value.
    """

    help: str
    flags: tuple[str, ...] = ()
    kind: type = str
    metavar: str | None = None
    read: Callable[[Any], Any] = unchanged
    least: int | None = None
    most: int | None = None
    choices: tuple[str, ...] = ()
    python: str = ""
    recorded: bool = True

    def check(self, name: str, value: Any) -> None:
        """Raises DgqcError for a value out of place. None is always in place."""
        if value is None:
            return
        if self.least is not None and value < self.least:
            raise DgqcError(f"{name} is {value}, but at least {self.least} is needed.")
        if self.most is not None and value > self.most:
            raise DgqcError(f"{name} is {value}, but at most {self.most} is possible.")
        if self.choices and value not in self.choices:
            raise DgqcError(f"{name} is {value!r}, but it is one of {', '.join(self.choices)}.")


def option(flags: str | tuple[str, ...], help: str, **more: Any) -> dict[str, RequestOption]:
    """Metadata of a dataclass's field. flags: one, some, or () where the command line has none."""
    return {OPTION: RequestOption(help, (flags,) if isinstance(flags, str) else flags, **more)}


def option_of(declared: Field[Any]) -> RequestOption:
    """What a field declares."""
    found: RequestOption = declared.metadata[OPTION]
    return found


def check_fields(given: Any) -> None:
    """Raises DgqcError for a value of a dataclass's fields that is of another type, or out of place."""
    names = [vars(sys.modules[kind.__module__]) for kind in type(given).__mro__]
    for one in fields(given):
        value = getattr(given, one.name)
        check_type(one.name, value, hint_of(one.type, *names))
        option_of(one).check(one.name, value)


def documentation(kind: Any) -> str:
    """A line for each option of a dataclass, as a docstring has them."""
    lines = [(one.name, option_of(one)) for one in fields(kind)]
    return "\n".join(f"{name}: {' '.join(filter(None, (one.help, one.python)))}" for name, one in lines)
