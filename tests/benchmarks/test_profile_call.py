"""The profile of a call has every op that the program computes, each with its time and its limit."""

from __future__ import annotations

import pytest
from backends.kernels import planned
from backends.unet_like import unet_like
from profile_call import Profile, as_markdown, profile

from dgqc.backends.c.layout.plan import layout_of
from dgqc.ir.program import Program


@pytest.fixture(scope="module")
def program() -> Program:
    """One with every op."""
    return planned(unet_like())


@pytest.fixture(scope="module")
def found(program: Program) -> Profile:
    return profile(program, step=0, rounds=2)


def test_every_op_has_its_time_and_its_limit(program: Program, found: Profile) -> None:
    fusion = layout_of(program).fusion
    assert fusion is not None
    computed = {name: number for number, group in enumerate(fusion.groups) for name in group.nodes}
    assert {op.node: op.stream for op in found.ops} == computed
    assert all(op.microseconds > 0 and op.limit > 0 for op in found.ops)
    assert 0 < sum(op.microseconds for op in found.ops) <= found.call


def test_tables_add_up(found: Profile) -> None:
    streams = {op.stream for op in found.ops}
    lines = [line for line in as_markdown(found, len(streams)) if line.startswith("| ")]
    counts = [int(line.split("|")[2]) for line in lines if line.split("|")[2].strip().isdigit()]
    assert sum(counts) == 2 * len(found.ops)
