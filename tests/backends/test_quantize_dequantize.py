"""Plain plans as `quantized_decomposed` ops: the simulation's numbers, in ops that others know."""

from __future__ import annotations

from collections import Counter

import architectures
import pytest
import torch
from programs import apply, arguments, captured, planned, run_float, samples
from torch.export import ExportedProgram

import dgqc
from dgqc.backends.quantize_dequantize import export
from dgqc.ir.errors import DgqcError
from dgqc.ir.program import Program
from dgqc.passes.manager.presets import pipeline_for

NAME = "only_cross_attention"


@pytest.fixture(scope="module")
def plain() -> Program:
    """One range a value."""
    passes, _, _ = pipeline_for("naive-w8a8").partition(",measure-error")
    return apply(captured(NAME), passes)


@pytest.fixture(scope="module")
def exported(plain: Program) -> ExportedProgram:
    return export(plain)


def test_it_gives_what_the_simulation_gives(plain: Program, exported: ExportedProgram) -> None:
    run = exported.module()
    simulated = apply(plain, "simulate")
    for step in (0, len(plain.schedule) - 1):
        inputs = {name: value[:1] for name, value in samples(NAME, step).items()}
        found = run(*arguments(plain, inputs), torch.tensor(step))
        torch.testing.assert_close(found, run_float(simulated, inputs, step), rtol=1e-4, atol=1e-4)


def test_it_holds_ops_that_others_know(plain: Program, exported: ExportedProgram) -> None:
    nodes = exported.graph.nodes
    spaces = Counter(str(node.target).split(".")[0] for node in nodes if node.op == "call_function")
    assert set(spaces) == {"aten", "quantized_decomposed"}
    weights = [node for node in nodes if "dequantize_per_channel" in str(node.target)]
    assert len(weights) == sum(type(plan).__name__ == "Weight" for plan in plain.plans.values())


def test_groups_are_refused_in_one_sentence() -> None:
    with pytest.raises(DgqcError, match="has 4 groups, which quantize/dequantize can't say; choose"):
        export(planned(NAME))


def test_a_model_is_exported_in_one_call() -> None:
    model = architectures.ARCHITECTURES["unconditional"]()
    exported = dgqc.export_quantize_dequantize(model, steps=2, samples=1)
    (output,) = (node.args[0] for node in exported.graph.nodes if node.op == "output")
    assert tuple(output[0].meta["val"].shape) == (1, 3, 8, 8)


def test_other_levels_are_refused(plain: Program) -> None:
    with pytest.raises(DgqcError, match="stop after timestep-tables"):
        export(apply(plain, "simulate"))
