"""Weights in mapped files are let go, and are what they were when they are read again."""

from __future__ import annotations

import platform
import tempfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dgqc.frontends.loading.weight_files import read_safetensors
from dgqc.ir.storage.mapped import MAPPINGS, in_file, let_go, let_go_of_freed, letting_go

SIZE = 2**22
"""Numbers, 16 MB of them."""
linux = pytest.mark.skipif(not MAPPINGS.exists(), reason="This system doesn't say what is mapped.")


def megabytes(kind: str = "RssFile") -> int:
    """Of files that are in this process's memory; of its own with `RssAnon`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(kind))


def numbers() -> torch.Tensor:
    return torch.arange(SIZE, dtype=torch.float32)


@pytest.fixture
def stored(tmp_path: Path) -> dict[str, torch.Tensor]:
    save_file({"weight": numbers(), "other": torch.ones(SIZE)}, tmp_path / "model.safetensors")
    return read_safetensors(tmp_path / "model.safetensors")


@linux
def test_memory_comes_back_and_so_do_the_values(stored: dict[str, torch.Tensor]) -> None:
    weight = torch.nn.Parameter(stored["weight"], requires_grad=False)
    assert torch.equal(weight, numbers())
    full = megabytes()
    let_go(weight)
    assert megabytes() <= full - 15
    assert torch.equal(weight, numbers())


@linux
def test_what_is_put_into_a_file_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = in_file(numbers().reshape(2, -1))
    assert found.shape == (2, SIZE // 2)
    assert torch.equal(found.flatten(), numbers())
    full = megabytes()
    let_go(found)
    assert megabytes() <= full - 15
    assert torch.equal(found.flatten(), numbers())
    assert not list(tmp_path.iterdir())


@linux
def test_what_was_freed_comes_back_though_something_later_lives() -> None:
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("This C library gives back by itself.")
    small = [torch.ones(2**13) for _ in range(4000)]
    last = small.pop()
    small.clear()
    full = megabytes("RssAnon")
    let_go_of_freed()
    assert megabytes("RssAnon") <= full - 60
    assert bool(last.eq(1).all())


class Largest(torch.nn.Module):
    """Adds the largest of its weights."""

    def __init__(self, weight: torch.Tensor, seen: list[int]) -> None:
        super().__init__()
        self.weight, self.seen = torch.nn.Parameter(weight, requires_grad=False), seen

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = x + self.weight.max()
        self.seen.append(megabytes())
        return found


@linux
def test_a_model_lets_go_of_each_layer_once_it_has_answered(stored: dict[str, torch.Tensor]) -> None:
    seen: list[int] = []
    model = torch.nn.Sequential(*(Largest(value, seen) for value in stored.values()))
    before, wanted = megabytes(), torch.tensor(float(SIZE))
    for _ in range(2):
        with letting_go(model):
            assert model(torch.zeros(())) == wanted
        assert megabytes() <= before + 2
    assert max(seen) <= before + 18
    model(torch.zeros(()))
    assert megabytes() >= before + 30


def test_what_was_changed_stays_changed(stored: dict[str, torch.Tensor]) -> None:
    weight = torch.nn.Parameter(stored["weight"], requires_grad=False)
    weight.mul_(2)
    let_go(weight, stored["weight"], stored["other"])
    assert torch.equal(weight, 2 * numbers())
    assert bool((stored["other"] == 1).all())


def test_what_lies_in_memory_stays(stored: dict[str, torch.Tensor]) -> None:
    copies = {name: value.clone() for name, value in stored.items()}
    let_go(*copies.values(), copies["weight"].reshape(2, -1).T)
    assert torch.equal(copies["weight"], numbers())
    del stored["weight"]
    again = numbers()
    let_go(again)
    assert torch.equal(again, numbers())


def test_small_weights_are_left_in_memory() -> None:
    small = torch.ones(8)
    assert in_file(small) is small
