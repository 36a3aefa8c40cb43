"""Each op of the integer level has all its parts; a part that lacks is told with the file to write."""

from __future__ import annotations

import ast
import operator
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import fx

from dgqc.ir.nodes import argument, argument_names, arguments, replace_argument
from dgqc.ir.ops import integer
from dgqc.ir.ops.integer import (
    IntegerOp,
    Moved,
    OperandArguments,
    any_value,
    bit_codes,
    integer_ops,
    register_integer,
    value_range,
)
from dgqc.ir.verify.checks import anything

ROOT = Path(__file__).parents[2]
OPS = ROOT / "ir" / "ops"
FLOATING = {"site", "at_step", "function"}
"""Ops of `ir/ops/` that are defined for the float levels; `at_step` is one of both."""
aten, dgqc = torch.ops.aten, torch.ops.dgqc


def defined() -> dict[str, Path]:
    """The ops of this package by name, with the file of their reference."""
    found = {}
    for path in sorted(OPS.glob("*.py")):
        for name in re.findall(r'custom_op\("dgqc::(\w+)"', path.read_text(encoding="utf-8")):
            found[name] = path
    return found


def own_records() -> dict[str, IntegerOp]:
    """The records of dgqc's own ops, by the op's name."""
    return {
        target._schema.name.partition("::")[2]: known
        for target, known in integer_ops().items()
        if isinstance(target, torch._ops.OpOverload) and target.namespace == "dgqc"
    }


@pytest.mark.parametrize("name", sorted(set(defined()) - FLOATING))
def test_each_op_has_all_its_parts(name: str) -> None:
    file, known = defined()[name].relative_to(ROOT), own_records().get(name)
    assert known is not None, (
        f"dgqc::{name} has no record: write register_integer(IntegerOp(torch.ops.dgqc.{name}.default, ...))"
        f" in {file}, below its reference."
    )
    missing = missing_part(name, known)
    assert missing is None, f"dgqc::{name} lacks {missing}"


def missing_part(name: str, known: IntegerOp) -> str | None:
    """What an op lacks and which file to write; None where nothing."""
    file = defined()[name].relative_to(ROOT)
    full = f"dgqc::{name}"
    if not torch._C._dispatch_has_kernel_for_dispatch_key(full, "Meta"):
        return f"a fake kernel: write @fake({name}) in {file}, which says what shape its result has."
    if not callable(known.rule) or (known.rule is anything and known.moves is None):
        return f"a rule: give its record in {file} one, made of ir/verify/argument_rules.py."
    if not callable(known.values):
        return f"a range: say in its record in {file} which values come out, `any_value` at the least."
    if not property_test(name):
        return (
            f"a property test: write tests/properties/test_{name}.py, which compares the reference with "
            "arithmetic on real numbers."
        )
    return None


def property_test(name: str) -> Path | None:
    """The file of properties that names an op's reference, the op, or its lowering."""
    files = sorted((ROOT / "tests" / "properties").glob("test_*.py"))
    return next((file for file in files if {name, f"lower_{name}"} & named_in(file)), None)


def named_in(file: Path) -> set[str]:
    """What a file imports, and attributes that it reads (`torch.ops.dgqc.linear`)."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    return names | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def test_a_part_that_lacks_is_told_with_its_file() -> None:
    known = own_records()["rescale"]
    assert missing_part("rescale", known) is None
    without_rule = IntegerOp(known.target, rule=anything, values=any_value)
    assert "a rule: give its record in ir/ops/elementwise.py" in str(missing_part("rescale", without_rule))
    assert property_test("an_op_that_nobody_tests") is None


def test_arguments_that_records_name_exist() -> None:
    for target, known in integer_ops().items():
        node = node_of(target, ())
        names = set(argument_names(node))
        assert known.moves is None or known.moves in names, target
        assert known.elementwise <= len(names), target
        if known.product is not None:
            named = {known.product.weight, *known.product.per_column} - {None}
            for operand in known.product.operands:
                named |= {operand.codes, operand.zero, operand.multiple, operand.group}
                named |= {operand.axis} if isinstance(operand.axis, str) else set()
            assert named <= names, target


def node_of(target: Any, args: tuple[Any, ...], **keywords: Any) -> fx.Node:
    return fx.Graph().call_function(target, args, keywords)


def test_an_op_of_ones_own_is_registered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integer, "_records", {})
    known = IntegerOp(aten.relu.default, rule=anything, values=any_value)
    register_integer(known)
    assert integer_ops() == {aten.relu.default: known}
    with pytest.raises(ValueError, match="has a record already"):
        register_integer(known)


def test_ranges_follow_from_records() -> None:
    graph = fx.Graph()
    x = graph.placeholder("x")
    x.meta["val"] = torch.empty(1, 2, dtype=torch.int16, device="meta")
    codes = [graph.call_function(dgqc.quantize.default, (x, x, x, x, x, x, 1, bits)) for bits in (4, 6)]
    moved = graph.call_function(aten.reshape.default, (codes[0], [2]))
    both = graph.call_function(aten.cat.default, ([moved, codes[1]],))
    softmax = graph.call_function(dgqc.softmax_log2.default, (x, 9, "row", False))
    first, second = (graph.call_function(operator.getitem, (softmax, place)) for place in range(2))
    second.meta["val"] = torch.empty(1, dtype=torch.int32, device="meta")
    assert value_range(x) == (-32768, 32767)
    assert [value_range(node) for node in (*codes, moved, both)] == [(0, 15), (0, 63), (0, 15), (0, 63)]
    assert value_range(first) == (0, 9)
    assert value_range(second) == (-(2**31), 2**31 - 1)
    assert (
        value_range(graph.call_function(aten.cat.default, ([moved, x],)), lambda node: x.meta["val"])[0] < 0
    )
    assert bit_codes(codes[0], lambda node: None) == (0, 15)
    assert Moved("x")(moved.all_input_nodes[0], lambda node: None) is None


def test_queries_ask_records() -> None:
    graph = fx.Graph()
    x = graph.placeholder("x")

    def answers(target: Any) -> tuple[bool, ...]:
        node = graph.call_function(target, (x, x))
        asked = (
            integer.is_product,
            integer.has_weight,
            integer.takes_codes_and_weight,
            integer.reads_all_keys,
            integer.moves_values,
        )
        return tuple(query(node) for query in asked)

    assert answers(dgqc.linear.default) == (True, True, True, False, False)
    assert answers(dgqc.conv2d_pixel.default) == (True, True, False, False, False)
    assert answers(dgqc.attend.default) == (True, False, False, True, False)
    assert answers(dgqc.gather.default) == (False, False, False, False, True)
    assert answers(aten.silu.default) == (False, False, False, False, False)
    assert integer.elementwise_arguments(graph.call_function(dgqc.add.default, (x, x, x))) == (x, x)
    assert integer.elementwise_arguments(x) == ()
    assert integer.integer_op(x) is None
    assert OperandArguments("a", prefix="a_").multiple == "a_multiple"


def test_arguments_are_read_and_replaced_by_name() -> None:
    node = node_of(aten.slice.Tensor, (1, 2), start=3)
    assert argument_names(node) == ("self", "dim", "start", "end", "step")
    assert arguments(node) == {"self": 1, "dim": 2, "start": 3, "end": None, "step": 1}
    replace_argument(node, "dim", 0)
    replace_argument(node, "end", 7)
    assert (node.args, node.kwargs) == ((1, 0), {"start": 3, "end": 7})
    assert argument(node_of(operator.getitem, (None, 4)), "index") == 4
    with pytest.raises(ValueError, match="not in"):
        replace_argument(node, "color", 1)
