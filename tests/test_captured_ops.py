"""Every op of the captured level has all its parts, and each part stands in one place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import fx

from dgqc.frontends.capturing import capture  # noqa: F401  (registers capture rules)
from dgqc.frontends.capturing.registry import capture_rule, capture_rule_of
from dgqc.ir.level import Level
from dgqc.ir.ops.captured import CapturedOp, captured_op, captured_ops, register_captured
from dgqc.ir.ops.planned import planned_ops
from dgqc.ir.verify.levels import rules_of
from dgqc.passes.lowering import families  # noqa: F401  (registers lowerings)
from dgqc.passes.lowering.registry import lowerings, lowers

aten = torch.ops.aten


def missing(op: CapturedOp) -> Iterator[str]:
    """What is still to be written for an op, and where."""
    name = str(op.target)
    if not op.made_by and capture_rule_of(op.target) is None:
        yield (
            f"{name} has a record but models are never captured with it: write a function under "
            f"@capture_rule(torch.ops.{name}) in frontends/capturing/rules_*.py, or name the pass that makes "
            "the op in `made_by`."
        )
    if not op.conditioning and op.target not in lowerings():
        yield (
            f"{name} has no integer form: write a function under @lowers(torch.ops.{name}) in "
            "passes/lowering/ and import its file in passes/lowering/families.py, or say conditioning=True "
            "where the op never sees the sample."
        )
    if op.conditioning and op.target in lowerings():
        yield f"{name} has an integer form: take conditioning=True from its record in ir/ops/."


@pytest.mark.parametrize("op", captured_ops().values(), ids=lambda op: str(op.target))
def test_a_captured_op_has_all_its_parts(op: CapturedOp) -> None:
    assert not list(missing(op))


@pytest.mark.parametrize("target", lowerings(), ids=str)
def test_what_is_lowered_has_a_record(target: Any) -> None:
    assert target in captured_ops() or target in planned_ops(Level.PLANNED), (
        f"{target} is lowered, but no captured graph may hold it: register its CapturedOp in ir/ops/."
    )


@pytest.mark.parametrize("absent", ["rule", "lowering"])
def test_an_op_that_lacks_a_part_is_told_which_file_to_write(absent: str) -> None:
    op = CapturedOp(aten.logcumsumexp.default, made_by="" if absent == "rule" else "some-pass")
    found = list(missing(op))
    assert "frontends/capturing/rules_" in found[0] if absent == "rule" else "passes/lowering/" in found[0]
    assert "aten.logcumsumexp.default" in found[0]


def test_an_op_has_one_record_one_capture_rule_and_one_lowering() -> None:
    with pytest.raises(ValueError, match="has a record already"):
        register_captured(CapturedOp(aten.linear.default))
    with pytest.raises(ValueError, match="is captured by linear already"):
        capture_rule(aten.linear.default)(lambda rewriter: None)
    with pytest.raises(ValueError, match="is lowered by lower_linear already"):
        lowers(aten.linear.default)(lambda builder, node: pytest.fail("never runs"))


def test_the_levels_know_what_has_a_record() -> None:
    captured, planned = rules_of(Level.CAPTURED), rules_of(Level.PLANNED)
    assert set(captured) == set(captured_ops())
    assert set(planned) - set(captured) == set(planned_ops(Level.PLANNED))
    assert set(rules_of(Level.SIMULATED)) - set(captured) == set(planned_ops(Level.SIMULATED))


def test_nodes_of_other_levels_have_no_captured_op() -> None:
    graph = fx.Graph()
    x = graph.placeholder("x")
    assert captured_op(x) is None
    assert captured_op(graph.call_function(torch.ops.dgqc.rescale.default, (x,))) is None
