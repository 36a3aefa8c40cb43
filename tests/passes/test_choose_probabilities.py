"""`choose-probabilities` gives each attention the quantizer that changes its output less."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from golden.graphs import SCHEDULE, Sketch, sited

from dgqc.ir.calibration import Calibration, Inputs
from dgqc.ir.errors import DgqcError
from dgqc.ir.plans import Coding, Granularity, ObservedProbabilities, QuantizedProbabilities
from dgqc.ir.program import Program
from dgqc.passes.activations import coding_losses
from dgqc.passes.activations.choose_probabilities import ChooseProbabilities
from dgqc.passes.activations.coding_losses import first_samples
from dgqc.passes.activations.observe_ranges import ObserveRanges
from dgqc.passes.graph import large_attention
from dgqc.passes.simulation import block_interpreter
from dgqc.passes.simulation.block_interpreter import Rows

aten = torch.ops.aten
KEYS = 15
OCTAVES = -torch.arange(KEYS) * torch.log(torch.tensor(2.0))
"""Logits of probabilities that are powers of two of the largest: 4-bit log codes are exact."""
EVEN = torch.log(torch.arange(KEYS, 0, -1, dtype=torch.float32))
"""Logits of probabilities that are multiples of the smallest: 4-bit uniform codes are exact."""


def two_attentions() -> Program:
    """`octaves` attends with the logits of the first input, `even` with those of the second."""
    sketch = Sketch(sample=(1, 2, KEYS), encoder_hidden_states=(1, 2, KEYS))
    eye = torch.eye(KEYS).tolist()
    mixed = []
    for name, logits in zip(("octaves", "even"), sketch.inputs.values(), strict=True):
        keys, values = sketch.constant(f"{name}_keys", [eye]), sketch.constant(f"{name}_values", [eye])
        scores = sketch.call(f"{name}_scores", aten.matmul.default, logits, keys)
        softmax = sketch.call(f"{name}_softmax", aten.softmax.int, scores, -1)
        mixed.append(sketch.call(name, aten.matmul.default, softmax, values))
    return sited(sketch.program(sketch.call("sum", aten.add.Tensor, *mixed)))


def calibrated(program: Program) -> Program:
    def read(step: int) -> Iterator[Inputs]:
        yield {"sample": OCTAVES.expand(3, 2, KEYS), "encoder_hidden_states": EVEN.expand(3, 2, KEYS)}

    return replace(program, calibration=Calibration(SCHEDULE, read, synthetic=False, origin="by hand"))


@pytest.mark.parametrize("large", [2**25, 0])
def test_each_attention_gets_what_fits_it(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_attention, "LARGE", large)
    monkeypatch.setattr(block_interpreter, "BLOCK", KEYS)
    decided = ChooseProbabilities().run(calibrated(two_attentions()))
    chosen = {name: plan for name, plan in decided.plans.items() if name.endswith("probabilities")}
    assert chosen == {
        "octaves_softmax.probabilities": QuantizedProbabilities(4, Coding.LOG2, Granularity.ROW, None),
        "even_softmax.probabilities": QuantizedProbabilities(4, Coding.UNIFORM, Granularity.ROW, None),
    }
    assert decided.report["choose-probabilities"]["counts"] == {"log2": 1, "uniform": 1}


@pytest.mark.parametrize("large", [2**25, 0])
def test_what_was_heard_with_the_ranges_is_not_computed_again(
    large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_attention, "LARGE", large)
    monkeypatch.setattr(block_interpreter, "BLOCK", KEYS)
    program = calibrated(two_attentions())
    observed = ObserveRanges(attentions=5).run(program)
    decided = ChooseProbabilities().run(replace(observed, calibration=None))
    assert (
        decided.report["choose-probabilities"]
        == ChooseProbabilities().run(program).report["choose-probabilities"]
    )
    heard = [plan.lost for plan in observed.plans.values() if isinstance(plan, ObservedProbabilities)]
    assert len(heard) == 2
    for lost in heard:
        assert lost is not None
        assert min(lost.log2, lost.uniform) < 1e-6 * max(lost.log2, lost.uniform)


def test_only_the_first_samples_are_heard() -> None:
    x = torch.arange(24.0).reshape(6, 2, 2)
    rows = Rows(x.shape, x.__getitem__)
    assert torch.equal(first_samples(x, 2, 3), x[:4])
    first = first_samples(rows, 2, 3)
    assert torch.equal(torch.cat([first.part(block) for block in first.blocks()]), x[:4])
    assert first_samples(x, 2, 4) is x  # not apart by sample
    assert first_samples(x, 3, 3) is x


def test_what_is_looked_at_in_part_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here two queries are too few for that; with a block for each and one block to look at, they aren't."""
    monkeypatch.setattr(large_attention, "LARGE", 0)
    monkeypatch.setattr(block_interpreter, "BLOCK", KEYS)
    whole = ChooseProbabilities().run(calibrated(two_attentions())).report["choose-probabilities"]
    assert "by some of their queries" not in whole
    monkeypatch.setattr(coding_losses, "BLOCKS", 1)
    part = ChooseProbabilities().run(calibrated(two_attentions())).report["choose-probabilities"]
    assert len(part["by some of their queries"]) == 2
    assert part["chosen"] == whole["chosen"]


def test_without_samples_nothing_is_guessed() -> None:
    with pytest.raises(DgqcError, match="needs calibration samples"):
        ChooseProbabilities().run(two_attentions())
    with pytest.raises(DgqcError, match="at least 1 call"):
        ChooseProbabilities(calls=0)
