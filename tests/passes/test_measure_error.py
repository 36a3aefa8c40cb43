"""`measure-error` reports each layer's distance from the float model and leaves the program alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from programs import SCHEDULE, apply, captured, decibels, lowered, planned, run_float, run_integer, samples

from dgqc.ir.errors import DgqcError
from dgqc.ir.printer import format_graph

NAME = "class_conditional"


def test_the_last_layers_figure_is_that_of_the_output() -> None:
    """Signal and noise are added up over the calls that are measured."""
    measured = apply(planned(NAME, 8, 4), "measure-error{calls=2}")
    report = measured.report["measure-error"]
    assert report["calls"] == [0, len(SCHEDULE) - 1]
    wanted, found = [], []
    for step in report["calls"]:
        inputs = {name: value[:1] for name, value in samples(NAME, step).items()}
        wanted.append(run_float(captured(NAME), inputs, step))
        found.append(run_integer(lowered(NAME, 8, 4), inputs, step))
    whole = decibels(torch.stack(wanted), torch.stack(found))
    assert report["decibels"]["conv_out"] == pytest.approx(whole, abs=0.05)
    assert len(report["decibels"]) > 10


def test_of_a_large_model_only_the_first_call_is_measured() -> None:
    assert apply(planned(NAME, 8, 4), "measure-error{calls=2,most=0}").report["measure-error"]["calls"] == [0]


def test_graph_and_plans_stay() -> None:
    program = planned(NAME, 8, 4)
    assert format_graph(apply(program, "measure-error")) == format_graph(program)


def test_without_calibration_the_way_to_get_some_is_named() -> None:
    with pytest.raises(DgqcError, match="--calib"):
        apply(replace(planned(NAME, 8, 4), calibration=None), "measure-error")
