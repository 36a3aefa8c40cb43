"""The file of parameters: what safetensors reads, written one constant at a time."""

from __future__ import annotations

import weakref
from pathlib import Path

import torch
from safetensors.torch import load_file

from dgqc.backends.mlir.parameters import Store, Stored, write_parameters
from dgqc.backends.mlir.pipeline import run
from dgqc.ir.storage.nibbles import unpack_nibbles

from ..cases import CASES

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


def test_a_permuted_weight_is_written_as_channels_come(tmp_path: Path) -> None:
    """The graph holds it in the order of the gather before the product, and keeps it so."""
    program, _ = CASES["permuted_linear"].program(0, rows=2, depth=24, columns=8, groups=2, bits=6)
    (product,) = (node for node in program.graph.graph.nodes if "linear" in str(node.target))
    (moved,) = (node for node in program.graph.graph.nodes if "gather" in str(node.target))
    held, order = (getattr(program.graph, str(node.target)) for node in (product.args[6], moved.args[1]))
    before = held.clone()
    (stored,) = (one for one in run(program, Store.PARAMETERS).parameters.values() if one.dtype is torch.int8)
    value = stored.read()
    if stored.count < held.numel():
        value = unpack_nibbles(value.view(torch.uint8), held.shape)
    assert not torch.equal(value, held)
    assert torch.equal(value[:, order.long()], held)
    assert torch.equal(held, before)
