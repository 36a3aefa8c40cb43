"""What people see: progress on stderr, results on stdout."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..ir.progress import shown_by
from ..ir.ranks import rank
from .display import Bars, LogLines, say
from .loudness import is_quiet

LIBRARIES = ("diffusers", "transformers", "torch")
"""Whose advice is for people who call them themselves."""


def result(text: Any = "") -> None:
    """Prints a result, a rich table for instance, to stdout."""
    if rank():
        return  # another process says it
    from rich.console import Console

    Console(highlight=False, soft_wrap=isinstance(text, str), markup=False).print(text)


def as_json(data: Any) -> None:
    """Prints a result for programs."""
    if rank():
        return
    sys.stdout.write(json.dumps(data, indent=2, default=str) + "\n")


def ready_streams() -> None:
    """What a shell closed goes nowhere, and stdout spells what its encoding has no letters for: a path may
    hold any bytes."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, io.StringIO())
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def progress() -> Iterator[None]:
    """Shows the progress of everything inside: bars on a terminal, plain lines otherwise, nothing with -q."""
    if is_quiet() or rank():
        yield
        return
    if sys.stderr.isatty():
        from rich.console import Console

        bars = Bars(Console(stderr=True))
        with bars.bars, shown_by(bars):
            yield
        ended = bars.end()
    else:
        lines = LogLines()
        with shown_by(lines):
            yield
        ended = lines.end()
    if ended is not None:
        say(ended)


class _Saying(logging.Handler):
    """Writes to what stderr is by then: while bars are shown, lines go above them."""

    def emit(self, record: logging.LogRecord) -> None:
        if not rank():
            say(self.format(record))


def quiet_libraries() -> None:
    """Sends dgqc's own messages to stderr as plain lines, and keeps the libraries' advice away."""
    handler = _Saying()
    logger = logging.getLogger("dgqc")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    # Read when tqdm is imported: loading a pipeline would draw bars of its own.
    os.environ.setdefault("TQDM_DISABLE", "1")
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(logging.ERROR)
