"""Every op by LLVM and by IREE: the reference's bits, whatever the shapes, groups, widths and constants."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ..cases import CASES
from .modules import check_iree, check_llvm

TOGETHER = pytest.mark.parametrize("cases", [1, pytest.param(3, marks=pytest.mark.slow)])
"""So many of one op are in one module: IREE takes most of the time, and LLVM gets more of them."""


@pytest.mark.parametrize("name", CASES)
def test_llvm(name: str) -> None:
    case = CASES[name]
    choices = {key: st.sampled_from(values) for key, values in case.space.items()}

    @settings(max_examples=4, deadline=None)
    @given(st.integers(0, 2**31), st.fixed_dictionaries(choices))
    def agree(seed: int, choice: dict[str, object]) -> None:
        check_llvm(*case.program(seed, **choice))

    agree()


@pytest.mark.parametrize("name", CASES)
@TOGETHER
def test_iree(name: str, cases: int, tmp_path: Path) -> None:
    case, draw = CASES[name], random.Random(name)
    choices = [{key: draw.choice(values) for key, values in case.space.items()} for _ in range(cases)]
    check_iree([case.program(seed, **choice) for seed, choice in enumerate(choices)], tmp_path)
