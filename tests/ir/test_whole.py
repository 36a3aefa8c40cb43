"""Files and folders appear whole or not at all, whatever stops the writer; what was left is removed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dgqc.ir.errors import DgqcError
from dgqc.ir.storage import leftovers, whole
from dgqc.ir.storage.exchange import exchange
from dgqc.ir.storage.whole import recover, whole_file, whole_folder, write_text


def anything(_: Path) -> None:
    """Everything may be replaced."""


def dead_process() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def name_of_dead(kind: str) -> str:
    return leftovers.unfinished_name(kind).replace(f"-{os.getpid()}-", f"-{dead_process()}-")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError()])
def test_a_failed_file_leaves_the_old_one(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "page.html"
    write_text(target, "old")

    def write() -> None:
        with whole_file(target) as partial:
            partial.write_text("half")
            raise error

    with pytest.raises(DgqcError if isinstance(error, OSError) else type(error)):
        write()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_place_that_is_no_folder_is_one_sentence(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "text")
    with pytest.raises(DgqcError, match="can't be written"):
        write_text(tmp_path / "file" / "page.html", "text")


def test_the_umask_says_the_rights(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with whole_file(tmp_path / "one") as partial:
            partial.unlink()
            os.close(os.open(partial, os.O_CREAT | os.O_WRONLY, 0o600))  # as safetensors does
        with whole_folder(tmp_path / "folder", anything) as folder:
            (folder / "inner").mkdir()
            os.close(os.open(folder / "inner" / "file", os.O_CREAT | os.O_WRONLY, 0o600))
            (folder / "script").write_text("#!/bin/sh\n")
            (folder / "script").chmod(0o700)
    finally:
        os.umask(before)
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert found == {"one": 0o640, "folder": 0o750, "inner": 0o750, "file": 0o640, "script": 0o750}


@pytest.mark.parametrize("can", [True, False])
def test_a_folder_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can: bool) -> None:
    if not can:
        monkeypatch.setattr(whole, "exchange", lambda one, other: False)
    for text in ("old", "new"):
        with whole_folder(tmp_path / "bundle", anything) as folder:
            (folder / "file").write_text(text)
    assert (tmp_path / "bundle" / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_two_folders_change_places(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    (one / "file").write_text("")
    if not exchange(one, other):
        pytest.skip("this system can't")
    assert not list(one.iterdir())
    assert list(other.iterdir())
    assert not exchange(one, tmp_path / "nothing")


def test_a_folder_whose_replacement_was_killed_comes_back(tmp_path: Path) -> None:
    old = tmp_path / name_of_dead(".bundle.old")
    old.mkdir()
    (old / "file").write_text("old")
    recover(tmp_path / "bundle")
    assert (tmp_path / "bundle" / "file").read_text() == "old"
    assert not old.exists()


def test_an_old_folder_of_a_running_process_is_left_to_it(tmp_path: Path) -> None:
    old = tmp_path / leftovers.unfinished_name(".bundle.old").replace(f"-{os.getpid()}-", f"-{os.getppid()}-")
    old.mkdir()
    recover(tmp_path / "bundle")
    assert old.exists()


def test_what_a_killed_process_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name_of_dead(".bundle.partial")).mkdir()
    (tmp_path / leftovers.unfinished_name(".bundle.partial")).mkdir()  # an earlier process of this number
    other = tmp_path / ".bundle.partial-elsewhere-1-00000000"
    ancient = tmp_path / ".bundle.partial-elsewhere-1-11111111"
    for path in (other, ancient):
        path.mkdir()
    os.utime(ancient, (0, 0))
    with whole_folder(tmp_path / "bundle", anything), whole_folder(tmp_path / "bundle", anything):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [other.name, "bundle"]
    monkeypatch.setattr(leftovers.tempfile, "gettempdir", lambda: str(tmp_path))
    (tmp_path / name_of_dead("dgqc-c")).mkdir()
    with leftovers.temporary_folder("c") as folder:
        assert [path for path in tmp_path.glob("dgqc-c-*")] == [folder]
    assert not folder.exists()


def test_old_graphs_of_failed_passes_are_removed(tmp_path: Path) -> None:
    for name, days in (("dgqc-failed-a", 8), ("dgqc-failed-b", 6), ("other", 100)):
        (tmp_path / name).mkdir()
        when = time.time() - days * leftovers.DAY
        os.utime(tmp_path / name, (when, when))
    leftovers.remove_old(tmp_path, "dgqc-failed")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dgqc-failed-b", "other"]
