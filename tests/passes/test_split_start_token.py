"""`split-start-token` keeps the function and splits cross-attentions only."""

from __future__ import annotations

import pytest
import torch
from programs import SCHEDULE, apply, calls, captured, run_float, samples

from dgqc.passes.graph.attention import attentions
from dgqc.passes.graph.edit import placeholders_upstream

aten = torch.ops.aten
FRONT = "fold-time-embedding,split-prologue"


@pytest.mark.parametrize("name", ["only_cross_attention", "stable_diffusion_xl"])
def test_the_graph_computes_the_same(name: str) -> None:
    whole = apply(captured(name), FRONT)
    split = apply(whole, "split-start-token")
    assert len(calls(split, aten.matmul.default)) > len(calls(whole, aten.matmul.default))
    for step in range(len(SCHEDULE)):
        inputs = samples(name, step)
        expected = run_float(whole, inputs, step)
        assert torch.allclose(run_float(split, inputs, step), expected, atol=1e-5)


def test_exactly_the_cross_attentions_are_split() -> None:
    split = apply(captured("only_cross_attention"), f"{FRONT},split-start-token")
    found = attentions(split.graph.graph)
    upstream = placeholders_upstream(split.graph.graph)
    crosses = [upstream[one.logits[0].args[1]] == {"encoder_hidden_states"} for one in found]  # type: ignore[index]
    assert [one.start for one in found] == crosses
    assert set(crosses) == {True, False}
    assert split.report["split-start-token"] == {"cross_attentions": sum(crosses)}


def test_the_first_part_is_the_first_token_alone() -> None:
    split = apply(captured("only_cross_attention"), f"{FRONT},split-start-token")
    tokens = 7
    apart = [one for one in attentions(split.graph.graph) if one.start]
    assert apart
    for attention in apart:
        first, rest = (part.args[0].meta["val"].shape[-1] for part in attention.parts)  # type: ignore[union-attr]
        assert (first, rest) == (1, tokens - 1)
        keys = [node.args[1].meta["val"].shape[-1] for node in attention.logits]  # type: ignore[union-attr]
        assert keys == [1, tokens - 1]


@pytest.mark.parametrize("again", [1, 2])
def test_what_is_split_stays_split_once(again: int) -> None:
    split = apply(captured("only_cross_attention"), f"{FRONT},split-start-token")
    twice = split
    for _ in range(again):
        twice = apply(twice, "split-start-token")
    assert len(twice.graph.graph.nodes) == len(split.graph.graph.nodes)


def test_without_a_context_nothing_happens() -> None:
    whole = apply(captured("class_conditional"), FRONT)
    split = apply(whole, "split-start-token")
    assert len(split.graph.graph.nodes) == len(whole.graph.graph.nodes)
    assert split.report["split-start-token"] == {"cross_attentions": 0}
