"""The one reader of JSON that comes from outside: limits first, then a value."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import DgqcError, one_line

DEEPEST = 100
"""Arrays and objects inside one another; what dgqc, diffusers and PyTorch write has a tenth of that."""
LONGEST_NUMBER = 40
"""Characters of a number: 64-bit integers have 20, doubles 25."""
LARGEST = 512 * 1024 * 1024
"""Bytes of a document. The graph of Stable Diffusion's UNet has a fiftieth of that."""


REMEDY = "it may be cut off or edited wrongly"


def read_json_object(path: Path, remedy: str = REMEDY, infinite: bool = False) -> dict[str, Any]:
    """A JSON file that holds an object. Raises DgqcError for anything else.

    remedy: how the message ends for text that is not JSON. infinite: as of `parse_json`.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise DgqcError(f"{path} is larger than any JSON file that dgqc reads; {remedy}.")
        data = path.read_bytes()
    except OSError as error:
        raise DgqcError(f"{path} can't be read ({error.strerror}); give a JSON file.") from error
    found = parse_json(data, str(path), remedy, infinite)
    if not isinstance(found, dict):
        raise DgqcError(f"{path} holds a JSON {type(found).__name__}, but an object is needed; {remedy}.")
    return found


def parse_json(text: str | bytes, what: str, remedy: str = REMEDY, infinite: bool = False) -> Any:
    """The value of a JSON text.

    text: UTF-8 where it is bytes, with or without a byte order mark.
    infinite: takes Infinity and -Infinity, which diffusers writes for limits of a scheduler that it lacks.
    Raises DgqcError for what is not JSON, and for what JSON allows but nobody writes on purpose: one key
    twice, nesting deeper than DEEPEST, longer numbers than LONGEST_NUMBER or too large ones, broken text.
    NaN and Infinity are no JSON, though Python's parser takes them.
    """
    try:
        if len(text) > LARGEST:
            raise ValueError(f"it has {len(text)} bytes")
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text.removeprefix("\ufeff")
        value = json.loads(
            decoded,
            parse_int=_integer,
            parse_float=_real,
            parse_constant=_infinity if infinite else _refuse_constant,
            object_pairs_hook=_without_twins,
        )
        _check_nesting(value)
    except RecursionError as error:
        raise DgqcError(f"{what} is not valid JSON (it is nested too deeply); {remedy}.") from error
    except ValueError as error:
        raise DgqcError(f"{what} is not valid JSON ({one_line(str(error), 200)}); {remedy}.") from error
    return value


def _integer(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"it has a number of {len(digits)} digits")
    return int(digits)


def _real(digits: str) -> float:
    value = float(digits) if len(digits) <= LONGEST_NUMBER else math.inf
    if not math.isfinite(value):
        raise ValueError(f"its number {one_line(digits, 50)} is out of range")
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _infinity(name: str) -> float:
    return float(name) if name.endswith("Infinity") else _refuse_constant(name)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it has the key {one_line(repr(twin), 80)} twice")
    return found


def _check_nesting(value: Any) -> None:
    """Level by level, so that this itself needs no recursion."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} deep")
        level = [inner for outer in level for inner in _inside(outer)]


def _inside(value: Any) -> Iterator[Any]:
    """The containers and texts in a container, keys among them; checks that text can be written again."""
    if isinstance(value, str):
        # Half of a surrogate pair can be escaped in JSON, but neither printed nor saved.
        value.encode("utf-8")
    elif isinstance(value, dict):
        yield from value
        yield from (item for item in value.values() if isinstance(item, str | dict | list))
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, str | dict | list))
