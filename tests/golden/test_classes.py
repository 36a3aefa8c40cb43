"""Channels of a split attention's result: one class, since it is computed as one sum at one scale."""

from __future__ import annotations

from dgqc.passes.activations.channel_classes import channel_classes
from dgqc.passes.graph.split_start_token import SplitStartToken

from .graphs import attention, sited


def test_the_sum_of_a_split_attention_has_one_class() -> None:
    program = sited(SplitStartToken().run(attention(crossing=True)))
    found = channel_classes(program.graph.graph, program.plans)
    (mixed,) = (one for node, one in found.items() if node.name == "mixed_mix")
    assert mixed.index.unique().numel() == 1
