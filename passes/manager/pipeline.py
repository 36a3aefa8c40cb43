"""Pipelines as text, as in MLIR: `outlier-dims,kmeans-groups{groups=8},log-quant{scale=row}`.

    pipeline  = [ pass { "," pass } ]
    pass      = name [ "{" option { ("," | space) option } "}" ]
    option    = name [ "=" value ]
    value     = bare word | '"' text with \\" and \\\\ '"'

`parse_pipeline(format_pipeline(passes)) == passes`, and formatting what was parsed gives the canonical text:
options in the order of the fields, defaults left out, commas between options.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import MISSING
from typing import Any

from ...ir.errors import DgqcError, PipelineError
from ..base import Pass
from .options import BARE, Option, options_of, read_value, write_value
from .registry import find_pass

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_SPACE = re.compile(r"\s*")
_SEPARATOR = re.compile(r"\s*,\s*|\s+")


def parse_pipeline(text: str) -> tuple[Pass, ...]:
    """The passes that a text names, with their options.

    Raises PipelineError naming the pass, the option, what would be right and the position (from 1) in the
    text.
    """
    return _Parser(text, find_pass, "pass").everything()


def parse_configured(text: str, find: Callable[[str], type[Any]], kind: str) -> tuple[Any, ...]:
    """Other things that are written as passes are: frozen dataclasses with a `name`, and options as fields.

    find: the class of a name. kind: what they are, for messages. Raises PipelineError as `parse_pipeline`.
    """
    return _Parser(text, find, kind).everything()


def format_pipeline(passes: Sequence[Pass]) -> str:
    """The canonical text of a pipeline."""
    return ",".join(format_pass(item) for item in passes)


def format_pass(item: Pass) -> str:
    """The canonical text of one pass: `kmeans-groups{groups=16}`."""
    return format_configured(item)


def format_configured(item: Any) -> str:
    """What `parse_configured` reads: the name, and the options that aren't their defaults."""
    written = []
    for option in options_of(type(item)):
        value = getattr(item, option.field)
        if option.default is MISSING or value != option.default:
            written.append(f"{option.name}={write_value(value)}")
    return f"{item.name}{{{','.join(written)}}}" if written else item.name


class _Parser:
    """Reads one text from left to right. find: the class of a name. kind: what the text lists."""

    def __init__(self, text: str, find: Callable[[str], type[Any]], kind: str) -> None:
        self.text = text
        self.find, self.kind = find, kind
        self.position = 0

    def everything(self) -> tuple[Any, ...]:
        found: list[Any] = []
        self.skip(_SPACE)
        while not self.at_end or found:
            found.append(self.one())
            self.skip(_SPACE)
            if self.at_end:
                break
            if not self.accept(","):
                raise self.error(f"a comma or the end after {found[-1].name}")
            self.skip(_SPACE)
        return tuple(found)

    def one(self) -> Any:
        name = self.match(_NAME)
        if not name:
            raise self.error(f"the name of a {self.kind}")
        found = self.find(name)
        options = options_of(found)
        given: dict[str, Any] = {}
        if self.accept("{"):
            self.skip(_SPACE)
            while not self.accept("}"):
                field, value = self.option(name, options, given)
                given[field] = value
                separated = self.skip(_SEPARATOR)
                if not separated and not self.text.startswith("}", self.position):
                    raise self.error(f"a comma or }} after the option {field.replace('_', '-')} of {name}")
        return _build(self.kind, found, options, given)

    def option(self, name: str, options: tuple[Option, ...], given: dict[str, Any]) -> tuple[str, Any]:
        start = self.position
        key = self.match(_NAME)
        if not key:
            raise self.error(f"an option of {name} or its closing }}")
        option = next((option for option in options if option.name == key.replace("_", "-")), None)
        if option is None:
            raise _unknown_option(f"{self.kind.capitalize()} {name}", key, options, start)
        if option.field in given:
            raise PipelineError(
                f"{self.kind.capitalize()} {name} is given its option {key} twice, at position {start + 1}; "
                "give it once."
            )
        if not self.accept("="):
            if option.kind is bool:
                return option.field, True
            raise self.error(f"= and {option.expected} after the option {key} of {name}")
        text, quoted = self.value(name, option)
        try:
            return option.field, read_value(option, text, quoted)
        except ValueError:
            raise PipelineError(
                f"{self.kind.capitalize()} {name} has {key}={text} at position {start + 1}, but {key} takes "
                f"{option.expected}."
            ) from None

    def value(self, name: str, option: Option) -> tuple[str, bool]:
        """A value's text and whether it was quoted."""
        if not self.accept('"'):
            word = self.match(BARE)
            if not word:
                raise self.error(f"{option.expected} for the option {option.name} of {name}")
            return word, False
        characters = []
        while not self.accept('"'):
            self.accept("\\")
            if self.at_end:
                raise self.error(f'a closing " for the option {option.name} of {name}')
            characters.append(self.text[self.position])
            self.position += 1
        return "".join(characters), True

    @property
    def at_end(self) -> bool:
        return self.position >= len(self.text)

    def accept(self, expected: str) -> bool:
        found = self.text.startswith(expected, self.position)
        self.position += len(expected) if found else 0
        return found

    def match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.position)
        self.position = found.end() if found else self.position
        return found.group() if found else ""

    def skip(self, pattern: re.Pattern[str]) -> bool:
        return bool(self.match(pattern))

    def error(self, expected: str) -> PipelineError:
        whole = "pipeline" if self.kind == "pass" else f"list of {self.kind}s"
        found = f"the {whole} ends" if self.at_end else f"there is {self.text[self.position :][:12]!r}"
        return PipelineError(
            f"The {whole} needs {expected} at position {self.position + 1}, but {found} in {self.text!r}."
        )


def _build(kind: str, made: type[Any], options: tuple[Option, ...], given: dict[str, Any]) -> Any:
    for option in options:
        if option.default is MISSING and option.field not in given:
            raise PipelineError(
                f"{kind.capitalize()} {made.name} needs its option {option.name} ({option.expected}): write "
                f"{made.name}{{{option.name}=...}}."
            )
    try:
        return made(**given)
    except (ValueError, DgqcError) as error:
        raise PipelineError(f"{kind.capitalize()} {made.name} refuses its options: {error}") from error


def _unknown_option(whose: str, key: str, options: tuple[Option, ...], start: int) -> PipelineError:
    names = [option.name for option in options]
    close = difflib.get_close_matches(key, names, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    allowed = f"its options are {', '.join(names)}" if names else "it takes none"
    return PipelineError(f"{whose} has no option {key}{hint}, at position {start + 1}; {allowed}.")
