"""A function that takes what a dataclass declares: one declaration for type checkers, `help` and readers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

from ..ir.typed import bound
from .option import documentation

P = ParamSpec("P")
R = TypeVar("R")


def takes(declared: Callable[P, object]) -> Callable[[Callable[..., R]], Callable[P, R]]:
    """Decorator: the function has the signature of a dataclass of options, and documents each of them.

    They stand after the first paragraph of its docstring.
    """

    def decorate(function: Callable[..., R]) -> Callable[P, R]:
        changed: Any = function
        own = inspect.signature(function)
        changed.__signature__ = inspect.signature(declared).replace(return_annotation=own.return_annotation)
        first, _, rest = (inspect.getdoc(function) or "").partition("\n\n")
        changed.__doc__ = "\n\n".join(filter(None, (first, documentation(declared), rest)))
        return function

    return decorate


def asked(declared: Callable[..., R], arguments: Sequence[Any], options: Mapping[str, Any]) -> R:
    """The dataclass of a call's arguments. Raises WrongArguments for those that it hasn't."""
    bound(inspect.signature(declared), arguments, options)
    return declared(*arguments, **options)
