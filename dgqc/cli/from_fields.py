"""Options of a command from the fields of a request, which declare them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Annotated, Any, get_type_hints

import typer

from ..compiler.option import option_of
from ..compiler.request import Request
from .options import Switch

Command = Callable[..., None]


def takes_fields(*names: str) -> Callable[[Command], Command]:
    """Decorator: the command takes some fields of a request, beside its own options.

    names: of fields; none takes all that a command line can give. The command's first argument is a mapping
    of the fields' values, by name.
    """
    # As in Python: what has a place among its arguments, then what has a name only.
    declared = sorted(fields(Request), key=lambda one: bool(one.kw_only))
    chosen = [one for one in declared if _written(one) and (not names or one.name in names)]

    def decorate(command: Command) -> Command:
        def run(**given: Any) -> None:
            values = {one.name: _value(one, given.pop(one.name)) for one in chosen}
            command(values, **given)

        changed: Any = run
        taken = [_parameter(one) for one in chosen] + _own(command)
        changed.__signature__ = inspect.Signature(taken)
        changed.__annotations__ = {one.name: one.annotation for one in taken}
        changed.__doc__, changed.__name__ = command.__doc__, command.__name__
        return run

    return decorate


def _written(declared: Field[Any]) -> bool:
    """Whether a command line can give it: as an option, or as the argument."""
    demanded = declared.default is MISSING and declared.default_factory is MISSING
    return bool(option_of(declared).flags) or demanded


def _parameter(declared: Field[Any]) -> inspect.Parameter:
    option, default = option_of(declared), declared.default
    told: dict[str, Any] = {"help": option.help, "metavar": option.metavar}
    if declared.default is MISSING:
        annotation: Any = Annotated[option.kind, typer.Argument(**told)]
        return inspect.Parameter(declared.name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
    # What is off unless it is asked for is asked for by its flag alone.
    kind: Any = Switch if option.kind is bool and default else option.kind
    if default is None:
        kind = kind | None
    elif isinstance(default, tuple):
        default = list(default)
    elif kind is Switch:
        default = Switch.ON
    annotation = Annotated[kind, typer.Option(*option.flags, min=option.least, max=option.most, **told)]
    return inspect.Parameter(
        declared.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _value(declared: Field[Any], given: Any) -> Any:
    """What the field holds. Raises DgqcError for text that it can't be read from."""
    if isinstance(given, Switch):
        return given is Switch.ON
    return option_of(declared).read(given)


def _own(command: Command) -> list[inspect.Parameter]:
    """A command's parameters after the first."""
    hints = get_type_hints(command, include_extras=True)
    _, *own = inspect.signature(command).parameters.values()
    return [one.replace(annotation=hints[one.name], kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
