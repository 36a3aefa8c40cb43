"""Which calls of a drop-in follow one another: by the place in the batch, the conditions and the step."""

from __future__ import annotations

import copy
import threading

import pytest
import torch
from skipping import CALLS, cached, skipping

from dgqc.execution.drawing_caches import MOST, DrawingCaches, drawing_caches
from dgqc.ir.caching import FeatureCache
from dgqc.ir.program import Program


@pytest.fixture(scope="module")
def program() -> Program:
    return cached(conditions=True)


def call(*prompts: int, residual: float = 0.0) -> dict[str, torch.Tensor]:
    context = torch.stack([torch.full((2, 3), float(prompt)) for prompt in prompts])
    changing = torch.full((len(prompts), 2), residual)
    return {
        "sample": torch.randn(len(prompts), 2, 4, 4),
        "encoder_hidden_states": context,
        "mid_block_additional_residual": changing,
    }


def of(caches: DrawingCaches, step: int, *prompts: int, residual: float = 0.0) -> list[FeatureCache]:
    found = caches.of(call(*prompts, residual=residual), step)
    assert found is not None
    return list(found)


def test_a_picture_keeps_its_cache_and_another_prompt_has_its_own(program: Program) -> None:
    caches = drawing_caches(program)
    (first,), (other,) = of(caches, 0, 1), of(caches, 0, 2)
    assert first is not other
    for step in range(1, CALLS):
        assert of(caches, step, 1, residual=step) == [first]
        assert of(caches, step, 2, residual=step)[0] is other


def test_a_new_picture_begins_with_an_empty_cache(program: Program) -> None:
    """After the last one ended, after it was left in the middle, and where begin says so."""
    caches = drawing_caches(program)
    first, *_ = [of(caches, step, 1)[0] for step in range(CALLS)]
    (second,) = of(caches, 0, 1)
    assert second is not first
    (late,) = of(caches, 3, 1)
    assert late is not second
    assert of(caches, 4, 1)[0] is late
    of(caches, 1, 1)
    before = of(caches, 2, 1)[0]
    caches.begin()
    assert of(caches, 3, 1)[0] is not before


def test_pictures_of_one_prompt_in_a_batch(program: Program) -> None:
    caches = drawing_caches(program)
    first, second, third = of(caches, 0, 7, 7, 8)
    assert len({id(one) for one in (first, second, third)}) == 3
    found = of(caches, 1, 7, 7, 8)
    assert all(one is other for one, other in zip(found, (first, second, third), strict=True))


def test_threads_and_copies_have_their_own(program: Program) -> None:
    caches = drawing_caches(program)
    (own,) = of(caches, 0, 1)
    found: list[FeatureCache] = []
    thread = threading.Thread(target=lambda: found.extend(of(caches, 1, 1)))
    thread.start()
    thread.join()
    assert found[0] is not own
    assert of(copy.deepcopy(caches), 1, 1)[0] is not own
    assert of(caches, 1, 1)[0] is own


def test_few_are_remembered(program: Program) -> None:
    caches = drawing_caches(program)
    (first,) = of(caches, 0, 0)
    latest = [of(caches, 0, prompt)[0] for prompt in range(1, MOST + 1)]
    assert of(caches, 1, MOST)[0] is latest[-1]
    assert of(caches, 1, 0)[0] is not first


def test_nothing_where_nothing_is_cached(program: Program) -> None:
    assert drawing_caches(program).of(call(1), None) is None
    assert drawing_caches(skipping()).of(call(1), 0) is None
