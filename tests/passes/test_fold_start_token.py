"""`fold-start-token`: exact for every prompt with the row that was seen, refused where it differs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from golden.graphs import attention, dense, prompts
from hypothesis import given, settings
from hypothesis import strategies as st

from dgqc.ir.errors import DgqcError
from dgqc.ir.program import Program
from dgqc.passes.graph.edit import aten
from dgqc.passes.graph.fold_start_token import FoldStartToken
from dgqc.passes.graph.split_start_token import SplitStartToken
from dgqc.passes.manager.manager import PassManager

START = [2.0, -1]


def crossing(*first: list[float]) -> Program:
    program = attention(crossing=True)
    return replace(program, calibration=prompts(program, *first))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_every_prompt_with_this_start_gives_the_same(seed: int, split: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, rest = (torch.randn(1, 2, 2, generator=generator) for _ in range(2))
    context = torch.cat([torch.tensor([[START]]), rest], dim=1)
    passes = [FoldStartToken(), *([SplitStartToken()] if split else [])]
    folded = PassManager(passes).run(crossing(START, START))
    wanted = attention(crossing=True).graph(x, context, torch.tensor(0))
    assert torch.allclose(folded.graph(x, context, torch.tensor(0)), wanted, atol=1e-5)
    context[:, 0] = 100
    assert torch.allclose(folded.graph(x, context, torch.tensor(0)), wanted, atol=1e-5), "row 0 is not read"


def test_products_are_of_the_other_tokens() -> None:
    folded = FoldStartToken().run(crossing(START))
    layers = [n for n in folded.graph.graph.nodes if n.target is aten.linear.default]
    assert [tuple(n.meta["val"].shape) for n in layers] == [(1, 2, 2)] * 3
    assert folded.report["fold-start-token"] == {"layers": 2}
    assert not folded.batched


def test_refusals() -> None:
    with pytest.raises(DgqcError, match="first tokens to differ, at call 0"):
        FoldStartToken().run(crossing(START, [2.0, -1.5]))
    together = crossing(START, [2.0, -1.5])
    assert together.calibration is not None
    batches = list(together.calibration.read(1))
    batch = {name: torch.cat([one[name] for one in batches]) for name in batches[0]}
    calibration = replace(together.calibration, read=lambda step: iter([batch]))
    with pytest.raises(DgqcError, match="first tokens to differ"):
        FoldStartToken().run(replace(together, calibration=calibration))
    with pytest.raises(DgqcError, match="this model has none"):
        FoldStartToken().run(dense())
    with pytest.raises(DgqcError, match="needs calibration samples"):
        FoldStartToken().run(attention(crossing=True))
