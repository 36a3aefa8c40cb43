"""`cache-schedule`: where the network is cut, which calls are full, what the others take."""

from __future__ import annotations

import pytest
import torch
from skipping import CALLS, SOURCE, cached, skipping

from dgqc.backends import reference
from dgqc.ir.caching import FeatureCache, skipped_nodes
from dgqc.ir.program import Program


def inputs(program: Program, seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        item.name: torch.randint(-32768, 32768, item.shape, generator=generator).to(torch.int16)
        for item in program.inputs
    }


def test_x() -> None:
    program = cached()
    cache = FeatureCache()
    for step in range(CALLS):
        given = inputs(program, step)
        print(step, reference.run(program, given, step, cache).flatten()[:5], reference.run(program, given, step).flatten()[:5])
    print(skipped_nodes(program.graph.graph))
    from dgqc.ir.printer import format_graph
    print(format_graph(program)) 
    assert 0
