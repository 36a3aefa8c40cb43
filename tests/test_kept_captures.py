"""What is captured once for all tests: the same model alone, and nobody's changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import architectures
import kept_captures
import pytest
import torch
from torch import nn

from dgqc.frontends import capture
from dgqc.frontends.capturing.capture import UNSCHEDULED
from dgqc.ir.printer import format_graph
from dgqc.ir.program import Program

Capture = Callable[[nn.Module], Program]


@pytest.fixture
def calls() -> list[nn.Module]:
    return []


@pytest.fixture
def kept(calls: list[nn.Module]) -> Capture:
    def counted(model: nn.Module, **options: Any) -> Program:
        calls.append(model)
        return capture(model, **options)

    found = kept_captures.keeping(counted)
    return lambda model: found(model, schedule=UNSCHEDULED, refused=[])


def test_the_same_model_is_captured_once(kept: Capture, calls: list[nn.Module]) -> None:
    first = kept(architectures.small())
    text = format_graph(first)
    for node in list(first.graph.graph.nodes):  # as passes do
        node.meta.clear()
    first.graph.conv_in_weight = None
    again = kept(architectures.small())
    assert len(calls) == 1
    assert format_graph(again) == text
    assert format_graph(kept(architectures.small())) == text


def hooked(model: nn.Module) -> None:
    model.register_forward_hook(_hook)


def _hook(module: nn.Module, given: Any, found: Any) -> None:
    pass


def another_weight(model: nn.Module) -> None:
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] += 1


def another_attribute(model: nn.Module) -> None:
    model.mid_block.resnets[0].output_scale_factor = 2.0


@pytest.mark.parametrize("change", [hooked, another_weight, another_attribute, lambda model: model.train()])
def test_another_model_is_captured(
    change: Callable[[nn.Module], None], kept: Capture, calls: list[nn.Module]
) -> None:
    model = architectures.small()
    change(model)
    for one in (architectures.small(), model):
        kept(one)
    assert len(calls) == 2


def test_what_cannot_be_told_is_captured_each_time(kept: Capture, calls: list[nn.Module]) -> None:
    model = architectures.small()
    model.register_forward_hook(lambda module, given, found: None)
    kept(model)
    kept(model)
    assert len(calls) == 2
