"""Every op of the integer level has a lowering to MLIR, and other packages' ops may have theirs."""

from __future__ import annotations

import operator
from typing import Any

import pytest
import torch
from torch import fx

from dgqc.backends.mlir.arithmetic.number import Number
from dgqc.backends.mlir.arithmetic.tensors import each, shape_of
from dgqc.backends.mlir.lowering.module_builder import ModuleBuilder, OpCall
from dgqc.backends.mlir.lowering.pipeline import LOWERINGS
from dgqc.backends.mlir.lowering.record import lowered_ops, lowers
from dgqc.backends.mlir.lowering.stages import Family
from dgqc.ir.errors import DgqcError
from dgqc.ir.level import Level
from dgqc.ir.ops.integer import integer_ops
from dgqc.ir.program import Input, Program
from dgqc.ir.schedule import Schedule

from .modules import check_llvm


@pytest.mark.parametrize("op", integer_ops(), ids=str)
def test_every_op_has_a_lowering(op: Any) -> None:
    if op is operator.getitem or op.namespace == "aten":
        return  # These are torch-mlir's own.
    files = ", ".join(f"{module.__name__.rpartition('.')[2]}.py" for module in LOWERINGS)
    assert op in lowered_ops(), (
        f"{op} has no lowering to MLIR: write a function under @lowers(torch.ops.{op}, FAMILY) in one of "
        f"backends/mlir/lowering/: {files} (docs/mlir.md)."
    )


def test_a_second_lowering_of_an_op_is_refused() -> None:
    with pytest.raises(DgqcError, match=r"add\.default is lowered to MLIR by .*elementwise\.add and by "):
        lowers(torch.ops.dgqc.add.default, Family.ELEMENTWISE)(negated)


def negated(b: ModuleBuilder, call: OpCall) -> Any:
    """-x; -32768 stays."""
    values = b.value(call, "x")
    shape = shape_of(values)
    return each(shape, 16, [(values, range(len(shape)))], lambda x: Number.__neg__(x))


def test_an_op_of_another_package() -> None:
    @torch.library.custom_op("elsewhere::negate", mutates_args=())
    def negate(x: torch.Tensor) -> torch.Tensor:
        return -x

    negate.register_fake(torch.empty_like)
    op = torch.ops.elsewhere.negate.default
    lowers(op, Family.ELEMENTWISE)(negated)
    graph = fx.Graph()
    x, step = graph.placeholder("x"), graph.placeholder("step")
    result = graph.call_function(op, (x,))
    for node in (x, result):
        node.meta["val"] = torch.empty((2, 3), dtype=torch.int16, device="meta")
    step.meta["val"] = torch.empty((), dtype=torch.int64, device="meta")
    graph.output(result)
    module, schedule = fx.GraphModule({}, graph), Schedule("none", (1.0,))
    program = Program(module, Level.INTEGER, (Input("x", (2, 3)),), schedule)
    check_llvm(program, {"x": torch.arange(-3, 3, dtype=torch.int16).reshape(2, 3)})
