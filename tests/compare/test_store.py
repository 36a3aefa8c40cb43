"""What was measured is kept, under everything that it depends on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dgqc.compare.store import Store, files_digest


def never() -> dict[str, float]:
    raise AssertionError("measured again")


def test_a_value_is_measured_once(tmp_path: Path) -> None:
    assert Store(tmp_path).value(["a", 1], lambda: {"dB": 3.5}) == {"dB": 3.5}
    assert Store(tmp_path).value(["a", 1], never) == {"dB": 3.5}


def test_another_key_is_another_value(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert [store.value(["a", n], lambda n=n: n) for n in (1, 2, 1)] == [1, 2, 1]


def test_what_fails_is_not_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(AssertionError):
        store.value(["a"], never)
    assert list(tmp_path.iterdir()) == []
    assert store.value(["a"], lambda: 1) == 1


def test_pictures_come_back_as_they_were(tmp_path: Path) -> None:
    drawn = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    assert np.array_equal(Store(tmp_path).pictures(["p"], lambda: drawn), drawn)
    assert np.array_equal(Store(tmp_path).pictures(["p"], lambda: drawn * 0), drawn)


def test_a_folder_is_another_when_a_file_changes_or_moves(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = files_digest(tmp_path)
    assert files_digest(tmp_path) == first
    (tmp_path / "a").write_text("2")
    second = files_digest(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert len({first, second, files_digest(tmp_path)}) == 3
