"""`calib_select`, from the request to what passes observe."""

from __future__ import annotations

import architectures
import pytest

from dgqc.compiler.driver import lower
from dgqc.compiler.request import Request
from dgqc.ir.errors import DgqcError

UNET = architectures.ARCHITECTURES["class_conditional"]()
QUICK = "fold-time-embedding,split-prologue,insert-sites,observe-ranges"


@pytest.mark.parametrize(("how", "samples"), [("all", 12), ("uniform", 4), ("tdac", 4)])
def test_passes_see_what_was_chosen(how: str, samples: int) -> None:
    program, made = lower(
        Request(UNET, pass_pipeline=QUICK, steps=4, samples=3, calib_select=how, stop_after="observe-ranges")
    )
    assert program.report["observe-ranges"]["samples"] == samples
    assert made.calibration.endswith("choice") == (how != "all")


def test_a_choice_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(DgqcError, match=r"'best'.*all, uniform, tdac"):
        lower(Request(UNET, pass_pipeline=QUICK, calib_select="best"))
