"""What a config of diffusers may hold, read off the constructor that will take it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, create_model

from ...ir.errors import one_line
from ...ir.storage.schema import Record, checked

LARGEST_NUMBER = 2**24
"""Of any config; the largest there is says how many classes or pixels a model knows."""
MOST_VALUES = 1_000_000
"""Of a list; the longest are a schedule's betas."""

_KINDS: dict[type, tuple[str, tuple[type, ...]]] = {
    bool: ("true or false", (bool,)),
    int: ("a number", (int, float)),
    float: ("a number", (int, float)),
    str: ("a text", (str,)),
}
_ANY = ("a number, a text, true or false", (bool, int, float, str))


def check_config(kind: type[Any], config: Mapping[str, Any], source: str, remedy: str) -> None:
    """Raises DgqcError naming the first value that `kind`'s constructor can't mean.

    A value is of the kind of the constructor's default: true or false, a number or a text. It may be a list
    of such, one for each block or part of one, and null. What the constructor does not have may be any of
    these, or an object. source: how the message begins. remedy: how it ends.
    """
    checked(_schema(kind), dict(config), source, remedy)


class _ConfigRecord(Record):
    """A config of some class, with keys that its constructor does not have."""

    model_config = ConfigDict(extra="allow")


def _schema(kind: type[Any]) -> type[_ConfigRecord]:
    """Names are aliases, since a config's own may be what pydantic keeps for itself."""
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    fields: dict[str, Any] = {
        f"field_{index}": (
            Annotated[Any, AfterValidator(_like(one.default))],
            Field(default=None, alias=one.name),
        )
        for index, one in enumerate(parameters)
        if one.kind is not inspect.Parameter.VAR_KEYWORD
    }
    return create_model(f"{kind.__name__}Config", __base__=_ConfigRecord, **fields)


def _like(default: Any) -> Callable[[Any], Any]:
    """Whether a value is of a default's kind."""
    first = default[0] if isinstance(default, list | tuple) and default else default
    says, types = _KINDS.get(type(first), _ANY)
    endless = isinstance(first, float) and math.isinf(first)  # Such as DPM-Solver's lambda_min_clipped.

    def fits(value: Any) -> Any:
        values = _inside(value)
        if len(values) > MOST_VALUES:
            raise ValueError(f"has {len(values)} values, but {MOST_VALUES} are the most that anybody writes")
        for one in values:
            number = isinstance(one, int | float) and not isinstance(one, bool)
            if type(one) not in types:
                raise ValueError(f"is {_shown(one)}, where {says} belongs")
            if number and not (abs(one) <= LARGEST_NUMBER or (endless and math.isinf(one))):
                raise ValueError(f"is {_shown(one)}, which is out of range")
        return value

    return fits


def _inside(value: Any) -> list[Any]:
    """A value, or those of a list and of the lists in it; null counts for nothing."""
    value = value.tolist() if hasattr(value, "tolist") else value  # A scheduler in memory may hold arrays.
    outer = value if isinstance(value, list | tuple) else [value]
    parts = [part if isinstance(part, list | tuple) else [part] for part in outer]
    return [one for part in parts for one in part if one is not None]


def _shown(value: Any) -> str:
    return one_line(repr(value), 60)
