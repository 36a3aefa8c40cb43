"""Several processes that work on one thing: torch's ranks, as `torchrun` starts them.

Every rank goes the same way through the program. Work that takes long stands in a row of items, of which each
rank computes its share, and all of them get all results, in the order of the items: whatever comes out is the
same for any number of ranks of one kind of device. Nobody else knows of ranks.
"""

from __future__ import annotations

import io
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import timedelta
from itertools import islice
from typing import Any, TypeVar

from .errors import DgqcError

Item = TypeVar("Item")
Result = TypeVar("Result")

NUMBER, COUNT = "RANK", "WORLD_SIZE"
"""What torchrun says in the environment."""
AGAIN = "start the same command again, which goes on from what is finished."
PATIENCE = timedelta(days=1)
"""How long a rank waits for the others; one that dies is noticed at once, since its connection closes."""


class LostOthers(DgqcError):
    """Another rank has ended before its work was done."""


_busy: ContextVar[bool] = ContextVar("dgqc_rank_busy", default=False)
"""Whether an item is being computed, inside of which nothing is shared out again."""
_joined = False


def ranks() -> int:
    """How many processes work on this."""
    return _distributed().get_world_size() if _joined else 1


def rank() -> int:
    """Which of them this is; 0 writes what comes out, and speaks."""
    return _distributed().get_rank() if _joined else 0


def asked_ranks() -> int:
    """As many as the environment says."""
    try:
        return int(os.environ.get(COUNT, "1"))
    except ValueError:
        return 1


@contextmanager
def joined() -> Iterator[None]:
    """Joins the others that torchrun started, if there are any, until the block ends.

    Raises DgqcError where they can't be reached.
    """
    global _joined
    if asked_ranks() == 1 or _joined:
        yield
        return
    try:
        with _standard_output_kept():
            _distributed().init_process_group(_backends(), timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise DgqcError(
            f"{COUNT} is {asked_ranks()}, but the other processes can't be reached ({_first_line(error)}); "
            "start them with torchrun."
        ) from error
    _joined = True
    before = signal.signal(signal.SIGTERM, _told_to_end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        _joined = False
        with suppress(RuntimeError):  # of a group whose others have ended
            _distributed().destroy_process_group()


def owned(place: int) -> bool:
    """Whether this rank computes the item at a place of a row that is shared out."""
    return _busy.get() or place % ranks() == rank()


def shared_out(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    bytes_each: int = 0,
    *,
    one_by_one: bool = False,
) -> Iterator[Result]:
    """What `function` makes of each item, in the order of the items, each computed by one of the ranks.

    items: every rank takes all of them; they are the same everywhere. Results can be pickled, and their
    tensors lie on the CPU.
    bytes_each: as for `side_by_side`, which computes a rank's own. one_by_one: it has a single thread.
    Raises on every rank what the first failing item raises, and LostOthers where one has ended.
    """
    from .parallel import side_by_side  # brings torch, which `dgqc --help` does without

    if ranks() == 1 or _busy.get():
        yield from map(function, items) if one_by_one else side_by_side(function, items, bytes_each)
        return

    def attempted(item: Item) -> tuple[Any, Exception | None]:
        token = _busy.set(True)
        try:
            return function(item), None
        except Exception as error:
            return None, _told_safely(error)
        finally:
            _busy.reset(token)

    every = list(items)
    own = every[rank() :: ranks()]
    mine = map(attempted, own) if one_by_one else side_by_side(attempted, own, bytes_each)
    for first in range(0, len(every), ranks()):
        # Each computes its item of a round before anyone waits for another's.
        found = list(islice(mine, 1))
        for place in range(first, min(first + ranks(), len(every))):
            result, error = _told(found[0] if place % ranks() == rank() else None, place % ranks())
            if error is not None:
                raise error
            yield result


def share(count: int) -> int:
    """How many of so many items this rank computes."""
    return len(range(rank(), count, ranks()))


def agreed(function: Callable[[], Result]) -> Result:
    """What one rank computes, for all of them."""
    (found,) = shared_out(lambda _: function(), [None], one_by_one=True)
    return found


@contextmanager
def _standard_output_kept() -> Iterator[None]:
    """What a library writes there meanwhile goes to stderr: Gloo, in torch 2.9, says whom it has met."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _told_to_end(*_: object) -> None:
    """What torchrun asks of all that are left when one has ended."""
    raise LostOthers(f"Rank {rank()} of {ranks()} was told to end, since another one has; {AGAIN}")


def _told(value: Any, source: int) -> Any:
    """A rank's value, on every rank."""
    mine = rank() == source
    held = [packed(value) if mine else None]
    try:
        # In the CPU's memory: what lies there is told by gloo, which notices at once who has ended.
        _distributed().broadcast_object_list(held, src=source, device=_cpu())
    except RuntimeError as error:
        raise LostOthers(
            f"Rank {rank()} of {ranks()} has lost the others, one of which has ended; {AGAIN}"
        ) from error
    told = held[0]
    assert told is not None
    return value if mine else unpacked(told)


def packed(value: Any) -> bytes:
    """A value as bytes, for another process of ours.

    Tensors that share memory share it there, too. Pickled one by one, each would bring all that it lies in:
    of thousands of views of one block as many blocks.
    """
    import torch

    buffer = io.BytesIO()
    torch.save(value, buffer, pickle_protocol=pickle.HIGHEST_PROTOCOL)
    return buffer.getvalue()


def unpacked(told: bytes) -> Any:
    """What was packed."""
    import torch

    return torch.load(io.BytesIO(told), weights_only=False)


def _told_safely(error: Exception) -> Exception:
    """The error, or its sentence where it can't be told to others as it is."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return DgqcError(str(error))
    return error


def _distributed() -> Any:
    """Loaded when it is needed."""
    import torch.distributed

    return torch.distributed


def _backends() -> str:
    from .devices import backends  # brings torch, as below

    return backends()


def _cpu() -> Any:
    from .devices import CPU

    return CPU


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
