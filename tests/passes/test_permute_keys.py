"""`permute-keys` puts the keys of a group side by side without changing a bit."""

from __future__ import annotations

import pytest
import torch
from programs import apply, calls, lowered, same_bits

from dgqc.ir.nodes import arguments
from dgqc.ir.verify.verifier import verify
from dgqc.passes.graph.edit import constant

dgqc = torch.ops.dgqc


@pytest.mark.parametrize("name", ["demo_like", "unconditional"])
def test_results_stay_the_same_bit_for_bit(name: str) -> None:
    before = lowered(name)
    after = apply(before, "permute-keys")
    verify(after)
    assert after.report["permute-keys"]["attentions"] > 0
    assert same_bits(before, after, name)


def test_each_group_of_values_is_one_block_of_keys() -> None:
    after = apply(lowered("demo_like"), "permute-keys")
    moved = [
        node for node in calls(after, dgqc.attend.default)
        if node.args[7].target is dgqc.gather.default  # type: ignore[union-attr]
    ]  # fmt: skip
    assert len(moved) == after.report["permute-keys"]["attentions"]
    for attend in moved:
        a = arguments(attend)
        group = constant(after.graph, a["group"])
        assert group.tolist() == sorted(group.tolist())
        scores = a["codes"].args[0].args[0]
        keys = arguments(scores)["b"]
        assert torch.equal(constant(after.graph, keys.args[1]), constant(after.graph, a["values"].args[1]))


def test_start_tokens_and_what_is_in_order_stay() -> None:
    once = apply(lowered("demo_like"), "permute-keys")
    again = apply(once, "permute-keys")
    assert again.report["permute-keys"]["attentions"] == 0
    started = [node for node in calls(once, dgqc.attend.default) if arguments(node)["start"]]
    assert started
    assert all(node.args[7].target is not dgqc.gather.default for node in started)  # type: ignore[union-attr]
