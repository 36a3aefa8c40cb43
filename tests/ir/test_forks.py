"""What a forked process calls doesn't wait for threads that stayed in its parent."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable

import torch

from dgqc.ir.forks import call

LARGE = 2**22
"""Elements of which PyTorch gives each of its threads some."""


def in_a_child(work: Callable[[], float]) -> float | None:
    """What a forked process gets from it; None where it hangs."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # nothing here may raise into the test runner
        try:
            os.write(writing, str(work()).encode())
        finally:
            os._exit(0)
    answered = select.select([reading], [], [], 20)[0]
    if not answered:
        os.kill(child, 9)
    os.waitpid(child, 0)
    return float(os.read(reading, 100)) if answered else None


def added(values: torch.Tensor) -> float:
    return float(torch.floor(values).sum())


def test_work_of_many_threads_goes_on_in_a_child() -> None:
    values, before = torch.ones(LARGE), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert added(values) == LARGE
        found = in_a_child(lambda: call(lambda: call(added, values)))
    finally:
        torch.set_num_threads(before)
    assert found is not None, "the child hangs"
    assert found == LARGE


def test_nothing_is_moved_to_another_thread_where_nobody_forked() -> None:
    assert call(threading.get_ident) == threading.get_ident()
