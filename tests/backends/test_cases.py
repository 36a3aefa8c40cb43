"""Pieces, masks, means, takes, windows, wide values: C and reference agree in every bit, extremes too."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .cases import CASES
from .kernels import Builds, check

NAMES = (
    "piecewise",
    "add_logits",
    "norm_in_parts",
    "rms_norm",
    "mean",
    "shares",
    "take",
    "embed",
    "end_token",
    "max_pool2d",
    "depthwise_conv2d",
)
WIDE = ("wide_sum", "wide_norm", "wide_activation", "wide_product")


@pytest.mark.parametrize("name", [*NAMES, *WIDE])
def test_c(kernels: Builds, name: str) -> None:
    case = CASES[name]
    choices = {key: st.sampled_from(values) for key, values in case.space.items()}

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 2**31), st.fixed_dictionaries(choices))
    def agree(seed: int, choice: dict[str, object]) -> None:
        check(kernels, *case.program(seed, **choice))

    agree()


@pytest.mark.parametrize(
    "name",
    [
        "conv2d",
        "conv2d_pixel",
        "depthwise_conv2d",
        "group_norm",
        "wide_norm",
        "max_pool2d",
        "avg_pool2d",
        "upsample",
    ],
)
def test_several_images(kernels: Builds, name: str) -> None:
    case = CASES[name]
    choices = {key: st.sampled_from(values) for key, values in case.space.items() if key != "images"}

    @settings(max_examples=15, deadline=None)
    @given(st.integers(0, 2**31), st.fixed_dictionaries(choices))
    def agree(seed: int, choice: dict[str, object]) -> None:
        check(kernels, *case.program(seed, **choice, images=3))

    agree()
