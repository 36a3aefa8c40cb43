"""What is done on the way, told in sentences to whoever asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str], None]


def _nobody(sentence: str) -> None:
    """Where nobody asked."""


_listener: ContextVar[Listener] = ContextVar("dgqc_listener", default=_nobody)


def tell(sentence: str) -> None:
    """Tells the listener of this thread's work, if there is one."""
    _listener.get()(sentence)


@contextmanager
def told_to(listener: Listener) -> Iterator[None]:
    """Whatever is told inside goes to this listener."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
