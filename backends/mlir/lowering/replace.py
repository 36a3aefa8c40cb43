"""Replaces ops of the integer graph by what their lowering makes of them, one family at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import fx
from torch_mlir import ir

from ....ir.nodes import arguments
from ..arithmetic.tensors import integers
from ..emission.graph_constants import GraphConstants
from .importer import NODE
from .module_builder import ModuleBuilder, OpCall
from .record import lowering_of
from .stages import Family

WIDTHS = {"si8": 8, "ui8": 8, "si16": 16, "si32": 32, "si64": 64}


def lower(function: ir.Block, family: Family, b: ModuleBuilder, nodes: Mapping[str, fx.Node]) -> None:
    """Replaces every op of the block that a family lowers. nodes: of the integer graph, by name."""
    for op in list(function.operations):
        record = lowering_of(name_of(op), family)
        if record is not None:
            node = nodes[ir.StringAttr(op.attributes[NODE]).value]
            with ir.InsertionPoint(op), ir.Location.name(node.name):
                found = record.rule(b, _call(op.operation, node, b.constants.graph))
                results = found if isinstance(found, tuple) else (found,)
                for old, new in zip(op.results, results, strict=True):
                    old.replace_all_uses_with(from_builtin(new, old.type))
            op.operation.erase()


def name_of(op: ir.OpView) -> str:
    """`torch.dgqc.linear` of a `torch.operator`, else ""."""
    operation = op.operation
    return ir.StringAttr(operation.attributes["name"]).value if operation.name == "torch.operator" else ""


def to_builtin(value: ir.Value) -> ir.Value:
    """A value of the `torch` dialect as a tensor of signless integers."""
    sizes, element = str(value.type).removeprefix("!torch.vtensor<[").removesuffix(">").split("],")
    shape = [int(size) for size in sizes.split(",") if size]
    kind = integers(shape, WIDTHS[element])
    return ir.Operation.create("torch_c.to_builtin_tensor", results=[kind], operands=[value]).result


def from_builtin(value: ir.Value, kind: ir.Type) -> ir.Value:
    """A tensor of signless integers as a value of the `torch` dialect."""
    return ir.Operation.create("torch_c.from_builtin_tensor", results=[kind], operands=[value]).result


def _call(op: ir.Operation, node: fx.Node, graph: GraphConstants) -> OpCall:
    """The op's arguments: constants as tensors, values as builtin tensors, all else as it is."""
    named: dict[str, Any] = {}
    for (name, argument), operand in zip(arguments(node).items(), op.operands, strict=True):
        if not isinstance(argument, fx.Node):
            named[name] = argument
        elif argument.op == "get_attr":
            read = graph.weight if name == "weight" else graph.constant
            named[name] = read(str(argument.target))
        elif argument.target != "step":
            named[name] = to_builtin(operand)
    return OpCall(node, named)
