"""Large attentions in blocks: the same values, and no scores in memory."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from programs import FRONT, apply, arguments, captured, planned, run_float, samples
from torch import fx

from dgqc.ir.plans import ObservedActivation16, ObservedOperand, ObservedProbabilities
from dgqc.passes.graph import large_attention
from dgqc.passes.simulation import block_interpreter
from dgqc.passes.simulation.block_interpreter import BlockInterpreter, Rows

NAME = "demo_like"


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several blocks, the last one shorter, in most attentions."""
    monkeypatch.setattr(large_attention, "LARGE", 0)
    monkeypatch.setattr(block_interpreter, "BLOCK", 1000)


class Watching(BlockInterpreter):
    """Notes which softmaxes ran whole and which in blocks."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.blocks, self.whole = 0, 0

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if n.target is torch.ops.aten.softmax.int:
            self.blocks += isinstance(value, Rows)
            self.whole += not isinstance(value, Rows)
        return value


@pytest.mark.usefixtures("everything_is_large")
def test_blocks_give_the_same_values() -> None:
    program = planned(NAME)
    inputs = samples(NAME, 1)
    watching = Watching(program)
    with torch.no_grad():
        found = watching.run(*arguments(program, inputs), torch.tensor(1))
    torch.testing.assert_close(found, run_float(program, inputs, 1))
    # Cross-attentions are split at the start token, so their scores have two readers and stay whole.
    assert watching.blocks > 0
    assert watching.blocks == watching.whole


def test_small_attentions_stay_whole() -> None:
    program = planned(NAME)
    inputs = samples(NAME, 1)
    watching = Watching(program)
    with torch.no_grad():
        found = watching.run(*arguments(program, inputs), torch.tensor(1))
    assert torch.equal(found, run_float(program, inputs, 1))
    assert watching.blocks == 0


def test_ranges_are_seen_through_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = f"{FRONT},split-start-token,insert-sites,observe-ranges"
    whole = apply(captured(NAME), pipeline)
    monkeypatch.setattr(large_attention, "LARGE", 0)
    monkeypatch.setattr(block_interpreter, "BLOCK", 1000)
    blocks = apply(captured(NAME), pipeline)
    for name, plan in whole.plans.items():
        other = blocks.plans[name]
        if isinstance(plan, ObservedActivation16 | ObservedProbabilities):
            assert isinstance(other, type(plan))
            torch.testing.assert_close(other.high, plan.high)
        if isinstance(plan, ObservedOperand):
            assert isinstance(other, ObservedOperand)
            torch.testing.assert_close(other.channel.high, plan.channel.high)
            torch.testing.assert_close(other.pixel.low, plan.pixel.low)
