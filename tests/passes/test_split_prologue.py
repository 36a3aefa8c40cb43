"""`split-prologue` moves what has no integer form in front, and refuses what sees the sample."""

from __future__ import annotations

import pytest
import torch
from programs import apply, calls, captured, run_float, samples

from dgqc.ir.errors import UnsupportedOperation
from dgqc.passes.graph.edit import aten, call, propagate
from dgqc.passes.lowering.families import has_lowering


@pytest.mark.parametrize("name", ["class_conditional", "stable_diffusion_xl"])
def test_prologue_and_program_together_compute_the_same(name: str) -> None:
    whole = apply(captured(name), "fold-time-embedding")
    split = apply(whole, "split-prologue")
    assert split.prologue is not None
    for step in (0, 3):
        inputs = samples(name, step)
        assert torch.equal(run_float(split, inputs, step), run_float(whole, inputs, step))


@pytest.mark.parametrize("name", ["class_conditional", "stable_diffusion_xl"])
def test_what_stays_has_an_integer_form(name: str) -> None:
    whole = apply(captured(name), "fold-time-embedding")
    split = apply(whole, "split-prologue")
    assert all(has_lowering(node) for node in split.graph.graph.nodes if node.op == "call_function")
    assert not all(has_lowering(node) for node in whole.graph.graph.nodes if node.op == "call_function")
    assert all(item.shape[0] == 1 for item in split.inputs)


def test_a_model_without_conditioning_has_no_prologue() -> None:
    whole = apply(captured("only_cross_attention"), "fold-time-embedding")
    assert apply(whole, "split-prologue").prologue is None


def test_an_op_that_sees_the_sample_is_refused_with_its_module() -> None:
    program = apply(captured("only_cross_attention"), "fold-time-embedding")
    convolution = calls(program, aten.conv2d.default)[2]
    graph = program.graph.graph
    with graph.inserting_after(convolution):
        sine = call(graph, aten.sin.default, (convolution,), convolution)
    convolution.replace_all_uses_with(sine, delete_user_cb=lambda user: user is not sine)
    propagate(program)
    with pytest.raises(UnsupportedOperation, match=r"aten.sin.default in .*resnets.0"):
        apply(program, "split-prologue")
