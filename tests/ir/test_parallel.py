"""Work side by side: results in order, one thread a sum, and everything as before afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from dgqc.ir.parallel import in_blocks, side_by_side, single_threaded


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_results_come_in_order_from_single_threaded_workers() -> None:
    meeting = threading.Barrier(2, timeout=60)

    def work(item: int) -> tuple[int, int]:
        if item < 2:
            meeting.wait()  # passes only where two are at work
        return item, torch.get_num_threads()

    assert list(side_by_side(work, range(7))) == [(item, 1) for item in range(7)]
    assert torch.get_num_threads() == 2


def test_no_more_items_are_taken_than_there_are_workers() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(9):
            taken += 1
            yield item

    results = side_by_side(lambda item: item, items())
    assert next(results) == 0
    assert taken == 3
    results.close()  # type: ignore[attr-defined]
    assert torch.get_num_threads() == 2


def test_the_first_failing_item_is_the_one_that_is_told_of() -> None:
    def work(item: int) -> int:
        if item > 2:
            raise ValueError(item)
        return item

    with pytest.raises(ValueError, match="3"):
        list(side_by_side(work, range(9)))
    assert torch.get_num_threads() == 2


def test_workers_have_no_workers_of_their_own() -> None:
    def outer(item: int) -> list[str]:
        return list(side_by_side(lambda _: threading.current_thread().name, range(2)))

    names = {name for found in side_by_side(outer, range(4)) for name in found}
    assert len(names) <= 2


def test_one_workers_blocks_have_all_threads() -> None:
    meeting = threading.Barrier(2, timeout=60)

    def block(number: int) -> tuple[int, int]:
        if number < 2:
            meeting.wait()  # passes only where two are at work
        return number, torch.get_num_threads()

    def work(_: int) -> list[tuple[int, int]]:
        return in_blocks(block, [(number,) for number in range(5)])

    expected = [(number, 1) for number in range(5)]
    assert list(side_by_side(work, range(1))) == [expected]
    assert in_blocks(lambda _: in_blocks(lambda n: n, [(1,), (2,)]), [(0,)]) == [[1, 2]]
    assert torch.get_num_threads() == 2


def test_gradients_are_on_where_they_were() -> None:
    with torch.no_grad():
        assert not any(side_by_side(lambda _: torch.is_grad_enabled(), range(2)))
    assert all(side_by_side(lambda _: torch.is_grad_enabled(), range(2)))


def test_the_last_thread_to_leave_sets_the_threads_back() -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with single_threaded():
            inside.set()
            leave.wait(60)

    with single_threaded():
        thread = threading.Thread(target=other)
        thread.start()
        inside.wait(60)
    assert torch.get_num_threads() == 2
    leave.set()
    thread.join()
    assert torch.get_num_threads() == 2


def test_large_calls_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dgqc.ir.parallel.free_memory", lambda: 100)
    main = threading.current_thread().name
    assert {*side_by_side(lambda _: threading.current_thread().name, range(3), bytes_each=40)} == {main}
