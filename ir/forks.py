"""Calls of code that has threads of its own, from a process that may have been forked."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

MOST_CALLS = 256
"""So many calls at once in a forked process; more wait."""
NAME = "dgqc-in-a-forked-process"
"""How the names of their threads begin."""

_Result = TypeVar("_Result")
_in_child = False
_executor: ThreadPoolExecutor | None = None


def call(function: Callable[..., _Result], *arguments: object) -> _Result:
    """`function(*arguments)`. In a forked process it runs in a thread that was begun there.

    OpenMP, PyTorch's too, keeps its workers for each thread that calls it. Those of a thread that forked
    don't exist in the child, which would wait for them for ever; a new thread gets new ones.
    """
    if not _in_child or threading.current_thread().name.startswith(NAME):
        return function(*arguments)
    global _executor
    if _executor is None:
        _executor = ThreadPoolExecutor(MOST_CALLS, thread_name_prefix=NAME)
    return _executor.submit(function, *arguments).result()


def _forked() -> None:
    global _in_child, _executor
    _in_child, _executor = True, None  # an executor of the parent's has no threads here either


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
