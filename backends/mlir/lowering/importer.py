"""The integer graph in MLIR's `torch` dialect, by torch-mlir's FX importer.

A `dgqc::` op becomes `torch.operator "torch.dgqc.<name>"` with the name of its node; a constant of the graph
becomes `torch.operator "torch.dgqc.constant"` with its name, so that no values stand in the text yet.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx
from torch._subclasses.fake_tensor import FakeTensorMode
from torch_mlir import ir
from torch_mlir.dialects import torch as torch_dialect
from torch_mlir.extras.fx_importer import FxImporter, GraphNodeImporter
from torch_mlir.passmanager import PassManager

from ....ir.tensors import constant

FUNCTION = "main"
CONSTANT = "torch.dgqc.constant"
NODE = "dgqc.node"
"""Attribute with the name of a node of the graph, or of a constant."""


def import_graph(module: fx.GraphModule) -> ir.Module:
    """A module with one function @main: the graph's placeholders in order, its output.

    module: at the integer level, with `node.meta["val"]` on every node.
    """
    context = ir.Context()
    torch_dialect.register_dialect(context)
    with context, ir.Location.unknown():
        # Loads the dialects that torch-mlir's own passes need, among them the casts to builtin tensors.
        PassManager.parse("builtin.module(torch-func-backend-type-conversion)").run(
            ir.Module.create().operation
        )
    importer = FxImporter(context=context, graph_node_importer_cls=_NodeImporter)
    importer.import_stateless_graph(_with_fake_values(module).graph, func_name=FUNCTION)
    return importer.module


class _NodeImporter(GraphNodeImporter):  # type: ignore[misc]
    """Keeps names: of constants, whose values come later, and of the nodes that ops come from."""

    def _import_argument(self, loc: ir.Location, arg: Any, expected_jit_type: Any = None) -> ir.Value:
        if not (isinstance(arg, fx.Node) and arg.op == "get_attr"):
            return super()._import_argument(loc, arg, expected_jit_type)
        if (arg, 0) not in self._v:
            assert isinstance(arg.graph.owning_module, fx.GraphModule)
            value = constant(arg.graph.owning_module, str(arg.target))
            kind = self._cc.tensor_to_vtensor_type(value)
            self.bind_node_value(arg, _operator(CONSTANT, kind, str(arg.target), loc))
        return self.resolve_node_value(arg)

    def _import_torch_op_overload(self, loc: ir.Location, node: fx.Node, concrete_target: Any = None) -> None:
        super()._import_torch_op_overload(loc, node, concrete_target)
        op = self.resolve_node_value(node).owner.operation
        if op.name == "torch.operator":
            op.attributes[NODE] = ir.StringAttr.get(node.name)


def _operator(name: str, kind: ir.Type, node: str, loc: ir.Location) -> ir.Value:
    attributes = {"name": ir.StringAttr.get(name), NODE: ir.StringAttr.get(node)}
    return ir.Operation.create(
        "torch.operator", results=[kind], attributes=attributes, regions=0, loc=loc
    ).result


def _with_fake_values(module: fx.GraphModule) -> fx.GraphModule:
    """A copy whose nodes carry fake tensors, of which alone the importer reads shapes and types."""
    mode = FakeTensorMode()

    def fake(value: Any) -> Any:
        if isinstance(value, tuple | list):
            return [fake(item) for item in value]
        with mode:
            return torch.empty(value.shape, dtype=value.dtype)

    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in module.graph.nodes:
        copies[node] = copy = graph.node_copy(node, copies.__getitem__)
        copy.name = node.name
        copy.meta = {"val": fake(node.meta["val"])} if "val" in node.meta else {}
    return fx.GraphModule(module, graph)
