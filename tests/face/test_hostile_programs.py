"""A bundle's program may be a stranger's: it is laid out anew, and verified before anything is made of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import fx

import dgqc
from dgqc.backends.c.layout.plan import layout_of
from dgqc.backends.selection import select_targets
from dgqc.bundle.vectors import random_inputs
from dgqc.execution.compiled_program import CompiledProgram
from dgqc.ir.denoising import DenoisingLoop
from dgqc.ir.errors import DgqcError, VerificationError
from dgqc.ir.level import Level
from dgqc.ir.nodes import argument
from dgqc.ir.program import Program
from dgqc.ir.storage.serialize import load_program, save_program
from dgqc.ir.tensors import constant

from .renewal import renew


@pytest.fixture
def bundle(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "bundle"))


def rewrite(bundle: Path, change: Callable[[Program], Program]) -> None:
    save_program(change(load_program(bundle / "program")), bundle / "program")
    renew(bundle)


def with_a_layout_out_of_its_arena(program: Program) -> Program:
    (target,) = select_targets(["c"])
    laid_out = target.lay_out(program)
    layout = layout_of(laid_out)
    assert layout.memory is not None
    far = tuple(replace(buffer, offset=2**36) for buffer in layout.memory.buffers)
    memory = replace(layout.memory, buffers=far, shared_bytes=64)
    return replace(laid_out, layout=replace(layout, memory=memory))


def test_where_values_lie_is_not_taken_from_a_file(bundle: Path, program: CompiledProgram) -> None:
    rewrite(bundle, with_a_layout_out_of_its_arena)
    loaded = dgqc.load(bundle)
    assert loaded.program.layout is None
    inputs = random_inputs(program.program, 3)
    found = loaded.run_integers(inputs, 1, backend="c")
    assert torch.equal(found, program.run_integers(inputs, 1, backend="reference"))


def quantizer(program: Program) -> fx.Node:
    return next(n for n in program.graph.graph.nodes if n.target is torch.ops.dgqc.quantize.default)


def with_a_group_that_no_table_has(program: Program) -> Program:
    constant(program.graph, str(argument(quantizer(program), "group").target)).fill_(200)
    return program


def with_another_size_than_is_said(program: Program) -> Program:
    node = quantizer(program)
    node.meta["val"] = torch.empty((1, 1), dtype=node.meta["val"].dtype, device="meta")
    return program


def with_a_scale_for_one_call(program: Program) -> Program:
    return replace(program, inputs=tuple(replace(one, scale=one.scale[:1]) for one in program.inputs))


def with_a_short_loop(program: Program) -> Program:
    one, rows = torch.ones(1, dtype=torch.int32), torch.ones(1, 2, dtype=torch.int32)
    empty = (rows[:0], one[:0])
    tables = (*[one] * 6, rows - 1, rows, one, *empty, *empty)
    return replace(program, loop=DenoisingLoop(*tables, *[1] * 4, 1, 1, 0, 0, 0, 5))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (with_a_group_that_no_table_has, "group 200"),
        (with_another_size_than_is_said, r'meta\["val"\] of'),
        (with_a_scale_for_one_call, "a scale of the input sample"),
        (with_a_short_loop, r"the loop's sample_factor int32 \(1,\)"),
    ],
)
@pytest.mark.parametrize("backend", ["c", "reference"])
def test_a_graph_that_breaks_rules_is_not_run(
    bundle: Path, change: Callable[[Program], Program], found: str, backend: str
) -> None:
    rewrite(bundle, change)
    loaded = dgqc.load(bundle)
    inputs = {item.name: torch.zeros(item.shape, dtype=torch.int16) for item in loaded.program.inputs}
    with pytest.raises(VerificationError, match=found):
        loaded.run_integers(inputs, 0, backend=backend)


def test_a_program_that_is_not_integers_is_no_bundle(bundle: Path) -> None:
    rewrite(bundle, lambda program: replace(program, level=Level.SIMULATED))
    with pytest.raises(DgqcError, match="holds a program at the simulated level"):
        dgqc.load(bundle)
