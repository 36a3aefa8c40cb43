"""Options of a pass: the typed fields of its dataclass, read from text and written as text.

| field                  | text                                                          |
| ---------------------- | ------------------------------------------------------------- |
| `fast_mode: bool`      | `fast-mode=true`, `fast-mode=false`, `fast-mode` alone is true |
| `bits: int`            | `bits=8`                                                      |
| `rate: float`          | `rate=0.5`                                                    |
| `module: str`          | `module=up_blocks.*`, `module="with, comma"`                  |
| `scale: Granularity`   | `scale=row`, the value of the StrEnum                         |
| `limit: int \\| None`   | `limit=3`, `limit=none`                                       |
"""

from __future__ import annotations

import math
import re
from dataclasses import MISSING, Field, dataclass, fields
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from ...ir.errors import PipelineError

BARE = re.compile(r"""[^\s,{}="'\\]+""")
"""What may stand without quotes."""


@dataclass(frozen=True)
class Option:
    """One option of a pass.

    name: kebab-case, as written in a pipeline. field: the dataclass field. kind: bool, int, float, str or a
    StrEnum. optional: whether it may be none. default: MISSING where it must be given.
    """

    name: str
    field: str
    kind: type
    optional: bool
    default: Any

    @property
    def expected(self) -> str:
        """What values are right, for messages and listings."""
        if issubclass(self.kind, StrEnum):
            choices = " or ".join(member.value for member in self.kind)
        else:
            choices = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}[
                self.kind
            ]
        return f"{choices} or none" if self.optional else choices


def options_of(pass_class: type[Any]) -> tuple[Option, ...]:
    """The options of a pass, or of anything else that is written as one, in the order of its fields.

    Raises PipelineError when a field has a type that can't be written in a pipeline.
    """
    hints = get_type_hints(pass_class)
    return tuple(_option(pass_class, field, hints[field.name]) for field in fields(pass_class) if field.init)


def read_value(option: Option, text: str, quoted: bool) -> Any:
    """The value that a text stands for. Raises ValueError when it isn't one of this option."""
    if option.optional and text == "none" and not quoted:
        return None
    if option.kind is bool and text in ("true", "false"):
        return text == "true"
    if option.kind is int and re.fullmatch(r"[+-]?[0-9]+", text):
        return int(text)
    if option.kind is float and not math.isnan(number := float(text)):
        return number
    if option.kind is str:
        return text
    if issubclass(option.kind, StrEnum):
        return option.kind(text)
    raise ValueError(text)


def write_value(value: Any) -> str:
    """The canonical text of a value; `read_value` gives the value back."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    if isinstance(value, StrEnum) or (BARE.fullmatch(text) and text != "none"):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _option(pass_class: type[Any], field: Field[Any], hint: Any) -> Option:
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    plain = [kind for kind in kinds if kind is not NoneType]
    supported = len(plain) == 1 and isinstance(plain[0], type)
    if not supported or not (plain[0] in (bool, int, float, str) or issubclass(plain[0], StrEnum)):
        raise PipelineError(
            f"Option {field.name} of pass {pass_class.name} has the type {hint}, which can't be written in a "
            "pipeline; use bool, int, float, str, a StrEnum, or one of these `| None`."
        )
    # A default made by a factory is as good as a plain one: the supported types are immutable.
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return Option(field.name.replace("_", "-"), field.name, plain[0], len(kinds) > 1, default)
