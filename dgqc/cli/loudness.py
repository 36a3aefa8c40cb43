"""How much a command says on stderr: `-q` and `-v`, which every command takes."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from typing import Annotated, Any, get_type_hints

import typer


class Loudness(IntEnum):
    """QUIET: warnings and errors alone. VERBOSE: also each pass as it is done, and libraries' warnings."""

    QUIET = 0
    USUAL = 1
    VERBOSE = 2


Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress and no notes.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Each pass, and libraries' warnings.")]
LEVELS = {Loudness.QUIET: logging.WARNING, Loudness.USUAL: logging.INFO, Loudness.VERBOSE: logging.DEBUG}

_chosen: ContextVar[Loudness] = ContextVar("dgqc_loudness", default=Loudness.USUAL)


def is_quiet() -> bool:
    """Whether progress is left out."""
    return _chosen.get() is Loudness.QUIET


@contextmanager
def as_loud_as(chosen: Loudness, libraries: tuple[str, ...]) -> Iterator[None]:
    """Everything inside says as much. libraries: whose warnings are heard where it is verbose."""
    token = _chosen.set(chosen)
    levels = {"dgqc": LEVELS[chosen]}
    if chosen is Loudness.VERBOSE:
        levels |= dict.fromkeys(libraries, logging.WARNING)
    before = {name: logging.getLogger(name).level for name in levels}
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
        _chosen.reset(token)


def with_loudness(command: Callable[..., Any], libraries: tuple[str, ...]) -> Callable[..., Any]:
    """The command with both options after its own."""
    hints = get_type_hints(command, include_extras=True)
    own = [
        one.replace(annotation=hints.get(one.name, one.annotation), kind=inspect.Parameter.KEYWORD_ONLY)
        for one in inspect.signature(command).parameters.values()
    ]
    added = [_option("quiet", Quiet), _option("verbose", Verbose)]

    def run(*, quiet: bool, verbose: bool, **given: Any) -> Any:
        loudness = Loudness.QUIET if quiet else Loudness.VERBOSE if verbose else Loudness.USUAL
        with as_loud_as(loudness, libraries):
            return command(**given)

    changed: Any = run
    changed.__signature__ = inspect.Signature([*own, *added])
    changed.__annotations__ = {one.name: one.annotation for one in [*own, *added]}
    changed.__doc__, changed.__name__ = command.__doc__, command.__name__
    return run


def _option(name: str, annotation: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=False, annotation=annotation)
