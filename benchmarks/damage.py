"""Ways to damage a file: bytes, values of JSON, members of an archive."""

from __future__ import annotations

import io
import json
import random
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

NASTY: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    10**6,
    10**30,
    1e308,
    "",
    "x" * 100_000,
    "two\nlines\x1b[31m",
    "../../etc/passwd",
    "__import__('os').system('true')",
    [],
    {},
    [[]],
    ["diffusers", "os"],
    {"a": 1},
)
"""Values that nobody writes there."""
TEXTS = ("NaN", "-Infinity", "9" * 5000, "[" * 100_000, "1e999", '"\\ud800"', '{"a":1,"a":2}', "\ufeff{}")
"""JSON, or nearly, that stands for more than it seems."""


def damaged(data: bytes, name: str, chance: random.Random) -> bytes:
    """The file's bytes after one to three random changes; name: the file's, for what its structure is."""
    changed = data
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        ways: list[Callable[[bytes, random.Random], bytes]] = [_bytes]
        if name.endswith(".json"):
            ways += [_value, _value, _text]
        elif name.endswith(".safetensors"):
            ways += [_header, _header]
        elif name.endswith((".pt2", ".pt")) and zipfile.is_zipfile(io.BytesIO(changed)):
            ways += [_member, _member]
        changed = chance.choice(ways)(changed, chance)
    return changed


def _bytes(data: bytes, chance: random.Random) -> bytes:
    """A bit, a cut, a hole, a piece twice, rubbish, zeros."""
    if not data:
        return chance.randbytes(16)
    place, length = chance.randrange(len(data)), chance.choice((1, 4, 16, 256))
    way = chance.randrange(7)
    if way == 0:
        return data[:place]
    piece = data[place : place + length]
    replaced = {
        1: bytes((data[place] ^ (1 << chance.randrange(8)),)),
        2: b"",
        3: piece + piece,
        4: chance.randbytes(length),
        5: bytes(length),
        6: b"\xff" * length,
    }[way]
    return data[:place] + replaced + data[place + (1 if way == 1 else length) :]


def _value(data: bytes, chance: random.Random) -> bytes:
    """One value of a JSON document gone, nasty, or in another's place."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return _bytes(data, chance)
    places = list(_places(document))
    if not places:
        return _bytes(data, chance)
    holder, key = chance.choice(places)
    way = chance.randrange(3)
    if way == 0:
        del holder[key]
    elif way == 1:
        holder[key] = chance.choice(NASTY)
    else:
        other, where = chance.choice(places)
        holder[key] = json.loads(json.dumps(other[where]))
    return json.dumps(document).encode()


def _text(data: bytes, chance: random.Random) -> bytes:
    """A number or word of a JSON document, replaced as text."""
    colons = [place for place, one in enumerate(data) if one in b":,["]
    if not colons:
        return _bytes(data, chance)
    place = chance.choice(colons) + 1
    return data[:place] + chance.choice(TEXTS).encode("utf-8", "surrogatepass") + data[place:]


def _places(value: Any) -> list[tuple[Any, Any]]:
    found = []
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        found.append((value, key))
        if isinstance(value[key], dict | list):
            found += _places(value[key])
    return found


def _header(data: bytes, chance: random.Random) -> bytes:
    """The JSON header of a safetensors file; its length fits again."""
    length = int.from_bytes(data[:8], "little")
    if not 0 < length <= len(data) - 8:
        return _bytes(data, chance)
    header = chance.choice((_value, _text, _bytes))(data[8 : 8 + length], chance)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def _member(data: bytes, chance: random.Random) -> bytes:
    """One member of an archive, damaged, gone or renamed; checksums fit again."""
    buffer = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
            names = old.namelist()
            structured = [name for name in names if name.endswith((".json", ".pkl"))]
            chosen = chance.choice(structured or names)
            way = chance.randrange(6)
            for name in names:
                content = old.read(name)
                if name == chosen and way == 0:
                    continue
                if name == chosen and way > 1:
                    content = damaged(content, name, chance)
                new.writestr(f"{name}x" if name == chosen and way == 1 else name, content)
    except (OSError, ValueError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return _bytes(data, chance)
    return buffer.getvalue()
