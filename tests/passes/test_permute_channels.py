"""`permute-channels` puts groups side by side without changing a bit."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, pairwise, permutations

import torch
from hypothesis import given
from hypothesis import strategies as st
from programs import apply, calls, lowered, same_bits

from dgqc.backends.c.layout.permute_channels import in_quads
from dgqc.ir.verify.verifier import verify
from dgqc.passes.graph.edit import constant

dgqc = torch.ops.dgqc
NAME = "only_cross_attention"


def test_results_stay_the_same_bit_for_bit() -> None:
    before = lowered(NAME)
    after = apply(before, "permute-channels")
    verify(after)
    assert after.report["permute-channels"]["operands"] > 0
    assert same_bits(before, after, NAME)


def test_each_group_is_one_block_of_the_reduction() -> None:
    after = apply(lowered(NAME), "permute-channels")
    gathers = calls(after, dgqc.gather.default)
    assert gathers
    for gather in gathers:
        order = constant(after.graph, gather.args[1])  # type: ignore[arg-type]
        assert sorted(order.tolist()) == list(range(len(order)))
        for user in gather.users:
            group = constant(after.graph, user.args[4])  # type: ignore[arg-type]
            assert len(group.unique_consecutive()) == len(group.unique())


def quads(sizes: Iterable[int]) -> int:
    """Products of quads for groups side by side, each quad once for each group in it."""
    ends = list(accumulate(sizes, initial=0))
    return sum(-(-end // 4) - first // 4 for first, end in pairwise(ends))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_no_other_order_of_groups_shares_fewer_quads(sizes: list[int]) -> None:
    order = in_quads(sizes)
    assert sorted(order) == list(range(len(sizes)))
    assert quads(sizes[one] for one in order) == min(map(quads, permutations(sizes)))


def test_widths_of_weights_go_with_them() -> None:
    before, after = lowered(NAME), apply(lowered(NAME), "permute-channels")
    widths = after.report["weight-bits"]
    names = {str(node.target) for node in after.graph.graph.nodes if node.op == "get_attr"}
    assert set(widths) <= names
    assert sorted(widths.values()) == sorted(before.report["weight-bits"].values())
