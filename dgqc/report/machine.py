"""How fast this machine is at what a compile does, and how much room it has; measured in no time."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from ..ir.parallel import free_memory, single_threaded

SIDE, PRODUCTS = 384, 12
"""Of the matrices that are multiplied, and how often."""
SMALL, DISPATCHES = 64, 4000
"""Numbers that are added, and how often: so few that only the way to them counts."""
ROUNDS = 3
"""The median counts."""


@dataclass(frozen=True)
class Machine:
    """This machine, as it is now: what others make it do counts.

    macs: float multiply-adds a second of one processor. dispatch: seconds for one op of PyTorch on next to
    nothing. workers: calls that run side by side. memory: bytes that are free.
    """

    macs: float
    dispatch: float
    workers: int
    memory: int


def this_machine(clock: Callable[[], float] = time.perf_counter) -> Machine:
    """Measured once a process for each clock; the memory each time."""
    macs, dispatch = _speeds(clock)
    return Machine(macs, dispatch, torch.get_num_threads(), free_memory())


def free_disk(place: Path) -> int:
    """Bytes that can be written where a folder is to be made."""
    there = next(one for one in (place.absolute(), *place.absolute().parents) if one.exists())
    return shutil.disk_usage(there).free


@lru_cache(maxsize=2)
@single_threaded()
def _speeds(clock: Callable[[], float]) -> tuple[float, float]:
    with torch.no_grad():
        matrix, few = torch.ones(SIDE, SIDE), torch.ones(SMALL)
        product = _median(lambda: torch.mm(matrix, matrix), PRODUCTS, clock)
        return SIDE**3 / product, _median(lambda: torch.add(few, few), DISPATCHES, clock)


def _median(work: Callable[[], object], times: int, clock: Callable[[], float]) -> float:
    """Seconds of one of so many."""
    work()
    found = []
    for _ in range(ROUNDS):
        start = clock()
        for _ in range(times):
            work()
        found.append((clock() - start) / times)
    return max(sorted(found)[ROUNDS // 2], 1e-9)
