"""Numbers that don't depend on how many processors compute them.

A library that shares one sum among its threads adds the parts in an order that depends on how many there
are. So each sum has one thread here, and independent pieces of work run side by side, each in a thread of
its own. Whoever puts their results together does so in the order of the pieces, whichever was done first.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import torch
from threadpoolctl import ThreadpoolController

from .devices import device_here, free_bytes

Item = TypeVar("Item")
Result = TypeVar("Result")

MEMORY = Path("/proc/meminfo")
CONTAINER = Path("/sys/fs/cgroup/memory.max")
ASSUMED_MEMORY = 8 * 2**30
"""Where the system doesn't say how much there is."""


@contextmanager
def single_threaded() -> Iterator[None]:
    """Torch, BLAS and OpenMP compute with one thread inside, and with as many as before afterwards.

    May be nested, and entered by several threads at once. What they share among threads of a process is set
    back by the last one to leave.
    """
    if _thread.inside:
        yield
        return
    own = _shared.enter()
    _thread.inside = True
    try:
        yield
    finally:
        _thread.inside = False
        _shared.leave()
        own.restore_original_limits()


def side_by_side(
    function: Callable[[Item], Result], items: Iterable[Item], bytes_each: int = 0
) -> Iterator[Result]:
    """What `function` makes of each item, in the order of the items.

    As many calls run at a time as torch had threads before, each in a thread of its own with its numbers
    single-threaded, gradients on or off and context variables as they are here; fewer where they would fill
    more than half of the memory that is free, here or on the device that computes. Items are taken here, one
    for each call that begins.
    bytes_each: how much memory a call takes, where that is much.
    Raises what the first failing item in the order raises; no call runs any more by then.
    """
    with single_threaded():
        workers = 1 if _thread.worker else min(_shared.threads, _fitting(bytes_each))
        if workers == 1:
            yield from map(function, items)
            return
        grad = torch.is_grad_enabled()

        def work(item: Item) -> Result:
            with torch.set_grad_enabled(grad):
                return function(item)

        pool, left = _shared.pool("dgqc", worker=True), iter(items)
        begun: deque[Future[Result]] = deque()
        try:
            begun.extend(pool.submit(copy_context().run, work, item) for item in islice(left, workers))
            while begun:
                result = begun.popleft().result()
                begun.extend(pool.submit(copy_context().run, work, item) for item in islice(left, 1))
                yield result
        finally:
            for call in begun:
                call.cancel()
            wait(begun)


def in_blocks(function: Callable[..., Result], blocks: Sequence[tuple[Any, ...]]) -> list[Result]:
    """What `function` makes of each block's arguments, in their order. For integers alone.

    As many blocks at a time as torch had threads before, even inside of `side_by_side`, whose threads wait
    for theirs; so work of few pieces has all processors, too.
    """
    if _thread.in_block or len(blocks) == 1:
        return [function(*block) for block in blocks]
    with single_threaded():
        return list(_shared.pool("blocks", in_block=True).map(lambda block: function(*block), blocks))


class _Thread(threading.local):
    """What is to be known of a thread: whether it is single-threaded, and what it works at for another."""

    inside = False
    worker = False
    in_block = False


class _Shared:
    """What all threads of the process share while any of them is single-threaded."""

    def __init__(self) -> None:
        self.threads = 1
        self._controller: Any = None
        self._lock = threading.Lock()
        self._count = 0
        self._blas: Any = None
        self._pools: dict[str, ThreadPoolExecutor] = {}

    def enter(self) -> Any:
        """The calling thread's own limits, to be restored by it."""
        with self._lock:
            if not self._count:
                self.threads = torch.get_num_threads()
                self._controller = ThreadpoolController()
                self._blas = self._controller.select(user_api="blas").limit(limits=1)
            self._count += 1
            own = self._controller.select(user_api="openmp").limit(limits=1)
            torch.set_num_threads(1)
            return own

    def leave(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count:
                return
            for pool in self._pools.values():
                pool.shutdown()
            self._pools.clear()
            self._blas.restore_original_limits()
            torch.set_num_threads(self.threads)

    def pool(self, name: str, **facts: bool) -> ThreadPoolExecutor:
        """One for all, so that nested and simultaneous work has no more threads than processors.

        facts: of its threads, as `_Thread` has them.
        """
        with self._lock:
            if name not in self._pools:
                begin = partial(self._begin, facts)
                self._pools[name] = ThreadPoolExecutor(self.threads, name, initializer=begin)
            return self._pools[name]

    def _begin(self, facts: dict[str, bool]) -> None:
        """The first thing that a worker does."""
        torch.set_num_threads(1)
        self._controller.select(user_api="openmp").limit(limits=1)
        _thread.inside = True
        vars(_thread).update(facts)


_thread = _Thread()
_shared = _Shared()


def _fitting(bytes_each: int) -> int:
    if not bytes_each:
        return _shared.threads
    there = free_bytes(device_here())
    free = free_memory() if there is None else min(free_memory(), there)
    return max(1, free // (2 * bytes_each))


def free_memory() -> int:
    """Bytes that the process may still take."""
    try:
        lines = MEMORY.read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        free = ASSUMED_MEMORY
    try:
        return min(free, int(CONTAINER.read_text(encoding="ascii")))
    except (OSError, ValueError):  # No container, or one without a limit.
        return free
