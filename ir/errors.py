"""Errors that a user can act on: one sentence saying what is wrong, where, and what would be right."""

from __future__ import annotations

LONGEST_MESSAGE = 800
"""Characters of a message; what is longer quotes a file, and loses its middle."""


class DgqcError(Exception):
    """The input or the options are wrong. The command line prints the message and exits with 2.

    message: becomes one printable line of at most LONGEST_MESSAGE characters, whatever it quotes.
    detail: lines of dgqc's own that follow it as they are.
    """

    def __init__(self, message: object = "", detail: str = "") -> None:
        super().__init__(one_line(str(message)), detail)

    def __str__(self) -> str:
        return "\n".join(part for part in self.args if part)


class UnsupportedOperation(DgqcError):
    """The model holds an op that has no integer form."""


class VerificationError(DgqcError):
    """A graph breaks the rules of its level; the message names the node and the module path."""


class PipelineError(DgqcError):
    """A pass pipeline can't be parsed, names an unknown pass, or stands in an impossible order."""


def one_line(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """Text as one printable line: line ends become spaces, control characters escapes, the middle dots.

    A file may hold names with escape sequences of terminals, or of a hundred thousand characters.
    """
    text = _without_middle(text, longest)
    if not text.isprintable():
        joined = " ".join(text.splitlines())
        text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in joined)
    return _without_middle(text, longest)


def _without_middle(text: str, longest: int) -> str:
    half = (longest - 5) // 2
    return text if len(text) <= longest else f"{text[:half]} ... {text[-half:]}"


def reason(error: BaseException) -> str:
    """What another library's error says: its first sentence without the period, or its type's name."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    # A line that ends in a colon says nothing without the next.
    first = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
    text = one_line(first, LONGEST_MESSAGE // 2).rstrip(".")
    return f"{text} is missing" if isinstance(error, KeyError) else text
