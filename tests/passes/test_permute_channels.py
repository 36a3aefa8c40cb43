"""`permute-channels` puts groups side by side without changing a bit."""

from __future__ import annotations

import torch
from programs import SCHEDULE, apply, arguments, calls, lowered, samples

from dgqc.ir.verifier import verify
from dgqc.passes.graph import constant

dgqc = torch.ops.dgqc
NAME = "only_cross_attention"


def test_results_stay_the_same_bit_for_bit() -> None:
    before = lowered(NAME)
    after = apply(before, "permute-channels")
    verify(after)
    assert after.report["permute-channels"]["operands"] > 0
    for ordinal in range(len(SCHEDULE)):
        values = arguments(before, {k: v[:1] for k, v in samples(NAME, ordinal).items()})
        codes = [(value * 8000).clamp(-32768, 32767).to(torch.int16) for value in values]
        ends = [program.graph(*codes, torch.tensor(ordinal)) for program in (before, after)]
        assert torch.equal(*ends)
        assert ends[0].unique().numel() > 100


def test_each_group_is_one_block_of_the_reduction() -> None:
    after = apply(lowered(NAME), "permute-channels")
    gathers = calls(after, dgqc.gather.default)
    assert gathers
    for gather in gathers:
        order = constant(after.graph, gather.args[1])  # type: ignore[arg-type]
        assert sorted(order.tolist()) == list(range(len(order)))
        for user in gather.users:
            group = constant(after.graph, user.args[4])  # type: ignore[arg-type]
            assert group.tolist() == sorted(group.tolist())


def test_widths_of_weights_go_with_them() -> None:
    before, after = lowered(NAME), apply(lowered(NAME), "permute-channels")
    widths = after.report["weight-bits"]
    names = {str(node.target) for node in after.graph.graph.nodes if node.op == "get_attr"}
    assert set(widths) <= names
    assert sorted(widths.values()) == sorted(before.report["weight-bits"].values())
