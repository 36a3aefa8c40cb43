"""Work that is shared out: two processes, as torchrun starts them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from dgqc.ir import ranks
from dgqc.ir.ranks import agreed, owned, packed, shared_out, unpacked

WORK = """
import json, os, sys
from dgqc.ir.errors import DgqcError
from dgqc.ir.ranks import LostOthers, agreed, joined, rank, ranks, share, shared_out

computed = []

def square(x):
    computed.append(x)
    return x * x, list(shared_out(lambda y: (y, rank()), [x]))

def refuses(x):
    if x >= 2:
        raise DgqcError(f"no {x}")
    return x

with joined():
    found = {"ranks": ranks(), "share": share(5), "agreed": agreed(lambda: rank() + 7)}
    found["squares"] = list(shared_out(square, range(5)))
    found["one by one"] = list(shared_out(lambda x: x + 1, range(3), one_by_one=True))
    found["computed"] = sorted(computed)
    try:
        list(shared_out(refuses, range(5)))
    except DgqcError as error:
        found["refused"] = str(error)
    if rank():
        print(json.dumps(found), flush=True)
        os._exit(3)
    try:
        agreed(lambda: None), list(shared_out(str, range(4)))
    except LostOthers as error:
        found["lost"] = str(error)
    print(json.dumps(found))
"""


def together(count: int, work: str) -> list[dict[str, Any]]:
    """What each of so many ranks prints at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(count)}
    command = [sys.executable, "-c", work]
    begun = [
        subprocess.Popen(command, env={**os.environ, **place, "RANK": str(i)}, stdout=subprocess.PIPE)
        for i in range(count)
    ]
    return [json.loads(one.communicate(timeout=300)[0]) for one in begun]


@pytest.fixture(scope="module")
def found() -> list[dict[str, Any]]:
    return together(2, WORK)


def test_each_computes_its_share_and_all_get_everything_in_order(found: list[dict[str, Any]]) -> None:
    assert [one["computed"] for one in found] == [[0, 2, 4], [1, 3]]
    assert [one["share"] for one in found] == [3, 2]
    for one in found:
        assert one["ranks"] == 2
        assert one["agreed"] == 7
        assert one["one by one"] == [1, 2, 3]
        # What is shared out inside of an item stays with whoever computes it.
        assert one["squares"] == [[x * x, [[x, x % 2]]] for x in range(5)]


def test_what_fails_fails_everywhere_alike(found: list[dict[str, Any]]) -> None:
    assert [one["refused"] for one in found] == ["no 2", "no 2"]


def test_who_loses_the_others_says_so_in_a_sentence(found: list[dict[str, Any]]) -> None:
    again = "start the same command again, which goes on from what is finished."
    assert found[0]["lost"] == f"Rank 0 of 2 has lost the others, one of which has ended; {again}"


def test_a_process_alone_computes_everything() -> None:
    assert (ranks.ranks(), ranks.rank(), ranks.share(5), owned(3)) == (1, 0, 5, True)
    assert list(shared_out(lambda x: x + 1, range(3))) == [1, 2, 3]
    assert agreed(lambda: 5) == 5


def test_views_of_one_block_are_told_as_one_block() -> None:
    """Each by itself would bring the whole block along: what is seen of a large model as 15 GB."""
    block = torch.arange(100_000, dtype=torch.float32)
    views = dict(enumerate(block.split(100)))
    told = packed((views, None))
    assert len(told) < 2 * block.nbytes
    found, error = unpacked(told)
    assert error is None
    assert all(torch.equal(found[i], view) for i, view in views.items())
    assert {view.untyped_storage().data_ptr() for view in found.values()} == {
        found[0].untyped_storage().data_ptr()
    }


def test_gloo_s_greeting_is_no_output(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Gloo of torch 2.9 greets on standard output, where `--json` is read from."""

    class Distributed:
        def init_process_group(self, *_: object, **named: object) -> None:
            os.write(1, b"[Gloo] Rank 0 is connected to 1 peer ranks.\n")

        def destroy_process_group(self) -> None:
            pass

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(ranks, "_distributed", Distributed)
    monkeypatch.setattr(ranks, "_backends", lambda: "gloo")
    with ranks.joined():
        print("ours", flush=True)
    said = capfd.readouterr()
    assert said.out == "ours\n"
    assert said.err.startswith("[Gloo]")


def test_nobody_to_join_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    unreached = r"can't be reached .* start them with torchrun"
    with pytest.raises(ranks.DgqcError, match=unreached), ranks.joined():
        pass
