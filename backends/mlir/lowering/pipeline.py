"""From the integer graph to `linalg` on tensors: passes by name, run in order, watched by whoever asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import fx
from torch_mlir import ir
from torch_mlir.dialects import tensor
from torch_mlir.passmanager import PassManager

from ....ir.arithmetic.operands import ensure_shapes
from ....ir.entry_points import offered
from ....ir.program import Program
from ..arithmetic.number import Number
from ..emission.constants import Constants
from ..emission.graph_constants import GraphConstants
from ..emission.parameters import ConstantStore, Stored, externalize
from . import (
    attention,
    cached,
    elementwise,
    functions,
    images,
    matmul,
    moves,
    norms,
    products,
    scores,
    shares,
    softmax,
    tokens,
)
from .check import check
from .importer import CONSTANT, NODE, import_graph
from .module_builder import ModuleBuilder
from .replace import from_builtin, lower, name_of, to_builtin
from .stages import Family

ENTRY_POINT_GROUP = "dgqc.mlir"
"""Entry points that name modules with lowerings of other packages' ops."""
LOWERINGS = (
    products,
    matmul,
    softmax,
    attention,
    norms,
    elementwise,
    functions,
    scores,
    shares,
    images,
    moves,
    tokens,
    cached,
)
"""Where the ops of this package are lowered; importing them registers their records."""

ModuleWatch = Callable[[str, ir.Module], None]
"""Told the name of each pass and the module it left."""


def ignore(name: str, module: ir.Module) -> None:
    """Watches nothing."""


ATEN = (
    "builtin.module(torchdynamo-export-to-torch-backend-pipeline,"
    "torch-backend-to-linalg-on-tensors-backend-pipeline)"
)
CLEAN = "builtin.module(canonicalize,cse,canonicalize)"


@dataclass(frozen=True)
class Lowered:
    """module: `func`, `linalg` on tensors, `tensor` and `arith`, one function @main.
    parameters: what belongs into the parameter file, by key."""

    module: ir.Module
    parameters: dict[str, Stored]


def import_packages() -> None:
    """Imports what other packages' entry points name, so that their lowerings are known."""
    for point in offered(ENTRY_POINT_GROUP):
        point.load()


def run(
    program: Program, store: ConstantStore = ConstantStore.RESOURCES, watch: ModuleWatch = ignore
) -> Lowered:
    """Takes a program at the integer level through all passes."""
    import_packages()
    ensure_shapes(program)
    graph = GraphConstants(program.graph, dict(program.report.get("weight-bits", {})))
    nodes: dict[str, fx.Node] = {node.name: node for node in program.graph.graph.nodes}
    module = import_graph(program.graph)
    _name_arguments(module, program.graph)
    watch("import-fx", module)
    entry = module.body.operations[0].regions[0].blocks[0]
    with module.context, ir.Location.unknown():
        constants = Constants(entry, graph, store)
        with ir.InsertionPoint.at_block_begin(entry):
            step = tensor.extract(to_builtin(entry.arguments[len(entry.arguments) - 1]), [])
            builder = ModuleBuilder(Number(step).to_index(), constants)
        for family in Family:
            lower(entry, family, builder, nodes)
            watch(family.value, module)
        _place_constants(entry, constants)
        PassManager.parse(ATEN).run(module.operation)
        watch("lower-aten", module)
        PassManager.parse(CLEAN).run(module.operation)
        watch("clean-up", module)
        check(module)
        parameters: dict[str, Stored] = {}
        if store is ConstantStore.PARAMETERS:
            parameters = externalize(module, constants.resources)
            watch("externalize", module)
    return Lowered(module, parameters)


def _name_arguments(module: ir.Module, graph: fx.GraphModule) -> None:
    """Arguments are printed with the names of the placeholders."""
    names = [node.name for node in graph.graph.nodes if node.op == "placeholder"]
    entry = module.body.operations[0].regions[0].blocks[0]
    for argument, name in zip(entry.arguments, names, strict=True):
        argument.set_location(ir.Location.name(name, context=module.context))


def _place_constants(entry: ir.Block, constants: Constants) -> None:
    """Those that ATen ops read become values; the others have no readers left."""
    for op in list(entry.operations):
        if name_of(op) == CONSTANT:
            if list(op.results[0].uses):
                name = ir.StringAttr(op.operation.attributes[NODE]).value
                with ir.InsertionPoint(op):
                    value = constants.place(constants.graph.constant(name))
                    op.results[0].replace_all_uses_with(from_builtin(value, op.results[0].type))
            op.operation.erase()
