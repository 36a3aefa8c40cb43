"""The file of parameters: what safetensors reads, written one constant at a time."""

from __future__ import annotations

import weakref
from pathlib import Path

import torch
from safetensors.torch import load_file

from dgqc.backends.mlir.emission.parameters import Stored, write_parameters

TYPES = (torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64)


def test_another_library_reads_it(tmp_path: Path) -> None:
    values = {
        f"of_{dtype}": torch.arange(count, dtype=dtype).reshape(-1, 3)
        for count, dtype in zip((3, 9, 15, 21, 27), TYPES, strict=True)
    }
    parameters = {
        name: Stored(tuple(value.shape), value.dtype, lambda value=value: value)
        for name, value in values.items()
    }
    write_parameters(parameters, tmp_path / "model.safetensors")
    found = load_file(tmp_path / "model.safetensors")
    assert found.keys() == values.keys()
    for name, value in values.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value)


def test_constants_are_in_memory_one_at_a_time(tmp_path: Path) -> None:
    made: list[weakref.ref[torch.Tensor]] = []

    def read() -> torch.Tensor:
        assert all(one() is None for one in made)
        value = torch.zeros(100, dtype=torch.int8)
        made.append(weakref.ref(value))
        return value

    write_parameters({f"{n}": Stored((100,), torch.int8, read) for n in range(4)}, tmp_path / "some")
    assert len(made) == 4
