"""Arguments of public calls, checked by their annotations: a wrong one is refused in a sentence.

What Python hands in by mistake would else raise somewhere within, in words that say nothing of the argument.
"""

from __future__ import annotations

import builtins
import inspect
import math
import os
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin

from .errors import DgqcError

_AnyCallable = TypeVar("_AnyCallable", bound=Callable[..., Any])

CALLED = {int: "whole number", float: "finite number", str: "text", Path: "path", bool: "True or False"}
"""What a hint is called in a sentence, without an article."""
LONGEST_VALUE = 80
"""Characters of a value that a sentence shows; of a longer one it names the type."""
SPECIAL = ("__new__", "__init__", "__call__")
"""Methods of a class that users call without naming them."""


class WrongArguments(DgqcError, TypeError):
    """A call has an argument too many, or one too few. A TypeError, as Python's own would be."""


class _Names(ChainMap[str, Any]):
    """What annotations name; names that only type checkers import stand for anything."""

    def __missing__(self, name: str) -> Any:
        return Any


def typed(thing: _AnyCallable) -> _AnyCallable:
    """Decorator of a function, or of a class for all its public methods: refuses arguments of other types
    than their annotations say, with a DgqcError. Arguments that are left out aren't looked at.
    """
    if not inspect.isclass(thing):
        return cast(_AnyCallable, _typed_function(thing))
    for name, method in list(vars(thing).items()):
        if inspect.isfunction(method) and (name in SPECIAL or not name.startswith("_")):
            setattr(thing, name, _typed_function(method))
    return thing


def _typed_function(function: Any) -> Any:
    signature, hints = inspect.signature(function), dict[str, Any]()

    @wraps(function)
    def checked(*arguments: Any, **options: Any) -> Any:
        if not hints:  # At the first call: names may be defined below the function.
            hints.update(_hints_of(function, signature))
        for name, value in bound(signature, arguments, options).items():
            check_type(name, value, hints[name])
        return function(*arguments, **options)

    return checked


def bound(
    signature: inspect.Signature, arguments: Sequence[Any], options: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The arguments of a call by name. Raises WrongArguments where they aren't those of the signature."""
    try:
        return signature.bind(*arguments, **options).arguments
    except TypeError as error:
        names = ", ".join(name for name in signature.parameters if name not in ("self", "cls"))
        raise WrongArguments(f"These arguments can't be taken ({error}); give {names}.") from None


def _hints_of(function: Any, signature: inspect.Signature) -> dict[str, Any]:
    several = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {
        name: Any if one.kind in several else hint_of(one.annotation, inspect.unwrap(function).__globals__)
        for name, one in signature.parameters.items()
    }


def hint_of(annotation: Any, *names: dict[str, Any]) -> Any:
    """What an annotation stands for; Any where only type checkers can tell. names: where it was written."""
    if not isinstance(annotation, str):
        return Any if annotation is inspect.Parameter.empty else annotation
    try:
        return eval(annotation, {}, _Names(*names, vars(builtins)))
    except (AttributeError, TypeError):
        return Any


def check_type(name: str, value: Any, hint: Any) -> None:
    """Raises DgqcError for a value that isn't what the hint says. name: of the argument."""
    if not _fits(value, hint):
        text = "" if getattr(value, "shape", ()) else repr(value)
        shown = text if 0 < len(text) <= LONGEST_VALUE else f"of type {type(value).__name__}"
        raise DgqcError(f"{name} is {shown}, but {_called(hint)} is needed.")


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        paths = isinstance(value, str) and str in inner and Path in inner
        return _is_path(value) if paths else any(_fits(value, one) for one in inner)
    if hint in (int, float):
        return _is_number(value, Integral if hint is int else Real)
    if hint is Path:
        return isinstance(value, os.PathLike) and _is_path(value)
    if _holds(origin, Sequence):
        listed = isinstance(value, Sequence) and not isinstance(value, str | bytes)
        return listed and all(_fits(one, inner[0]) for one in value)
    if _holds(origin, Mapping):
        known = isinstance(value, Mapping) and all(_fits(one, inner[0]) for one in value)
        return known and all(_fits(one, inner[1]) for one in value.values())
    if origin is Callable:
        return callable(value)
    # What is left are classes; what a type checker alone can tell fits.
    try:
        return hint is Any or not isinstance(hint, type) or isinstance(value, hint)
    except TypeError:
        return True


def _holds(origin: Any, kind: type) -> bool:
    return isinstance(origin, type) and issubclass(origin, kind)


def _is_path(value: Any) -> bool:
    """Whether the system takes it for one."""
    try:
        return b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False


def _is_number(value: Any, kind: type) -> bool:
    if not isinstance(value, kind) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)  # type: ignore[arg-type]
    except OverflowError:
        return False


def _called(hint: Any) -> str:
    """With its article, as one says it: a text, a path or a list of whole numbers."""
    found = dict.fromkeys(_with_article(one) for one in _chosen(hint))
    return " or ".join(found)


def _with_article(hint: Any) -> str:
    origin, inner = get_origin(hint), get_args(hint)
    if _holds(origin, Sequence):
        return f"a list of {' or '.join(f'{_name(one)}s' for one in _chosen(inner[0]))}"
    if _holds(origin, Mapping):
        return "a dictionary"
    if origin is Callable:
        return "a function"
    name = _name(hint)
    return name if hint is bool else f"an {name}" if name[0] in "AEIOU" else f"a {name}"


def _chosen(hint: Any) -> list[Any]:
    """What one may choose among, but None; a path stands for its text, too."""
    every = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return [one for one in every if one is not NoneType and not (one is str and Path in every)]


def _name(hint: Any) -> str:
    listed = "list" if _holds(get_origin(hint), Sequence) else ""
    return CALLED.get(hint) or listed or str(getattr(hint, "__name__", hint))
