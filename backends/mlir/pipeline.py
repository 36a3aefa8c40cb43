"""From the integer graph to `linalg` on tensors: passes by name, run in order, watched by whoever asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import fx
from torch_mlir import ir
from torch_mlir.dialects import tensor
from torch_mlir.passmanager import PassManager

from ...ir.arithmetic.operands import ensure_shapes
from ...ir.program import Program
from .attention import attend
from .builder import Builder
from .check import check
from .constants import Constants
from .elementwise import activation, add, at_step, mul, quantize, rescale
from .importer import CONSTANT, NODE, import_graph
from .lower import Rule, from_builtin, lower, operator_name, to_builtin
from .matmul import matmul
from .moves import avg_pool2d, gather, upsample_nearest
from .norms import group_norm, layer_norm
from .number import Number
from .parameters import Store, Stored, externalize
from .products import conv2d, conv2d_pixel, linear
from .softmax import softmax_log2, softmax_static, softmax_uniform
from .ungather import ungathered

Watch = Callable[[str, ir.Module], None]
"""Told the name of each pass and the module it left."""


def ignore(name: str, module: ir.Module) -> None:
    """Watches nothing."""


FAMILIES: Mapping[str, Mapping[str, Rule]] = {
    "lower-products": {
        "linear": linear,
        "conv2d": conv2d,
        "conv2d_pixel": conv2d_pixel,
        "matmul": matmul,
    },
    "lower-attention": {
        "softmax_log2": softmax_log2,
        "softmax_uniform": softmax_uniform,
        "softmax_static": softmax_static,
        "attend": attend,
    },
    "lower-norms": {"group_norm": group_norm, "layer_norm": layer_norm},
    "lower-elementwise": {
        "quantize": quantize,
        "activation": activation,
        "add": add,
        "mul": mul,
        "rescale": rescale,
        "at_step": at_step,
    },
    "lower-moves": {"gather": gather, "upsample_nearest": upsample_nearest, "avg_pool2d": avg_pool2d},
}
"""Rules by pass, and within it by op."""
ATEN = (
    "builtin.module(torchdynamo-export-to-torch-backend-pipeline,"
    "torch-backend-to-linalg-on-tensors-backend-pipeline)"
)
CLEAN = "builtin.module(canonicalize,cse,canonicalize)"
PASSES = ("import-fx", *FAMILIES, "lower-aten", "clean-up", "externalize")
"""All passes, in order. `lower-aten` is torch-mlir's own lowering of reshape, permute, slice and cat;
`externalize` runs for programs whose constants are parameters."""


@dataclass(frozen=True)
class Lowered:
    """module: `func`, `linalg` on tensors, `tensor` and `arith`, one function @main.
    parameters: what belongs into the parameter file, by key."""

    module: ir.Module
    parameters: dict[str, Stored]


def run(program: Program, store: Store = Store.RESOURCES, watch: Watch = ignore) -> Lowered:
    """Takes a program at the integer level through all passes."""
    ensure_shapes(program)
    graph = ungathered(program)
    nodes: dict[str, fx.Node] = {node.name: node for node in graph.module.graph.nodes}
    module = import_graph(graph.module)
    _name_arguments(module, graph.module)
    watch("import-fx", module)
    entry = module.body.operations[0].regions[0].blocks[0]
    with module.context, ir.Location.unknown():
        constants = Constants(entry, graph, store)
        with ir.InsertionPoint.at_block_begin(entry):
            ordinal = tensor.extract(to_builtin(entry.arguments[len(entry.arguments) - 1]), [])
            builder = Builder(Number(ordinal).to_index(), constants)
        for name, rules in FAMILIES.items():
            lower(entry, rules, builder, nodes)
            watch(name, module)
        _place_constants(entry, constants)
        PassManager.parse(ATEN).run(module.operation)
        watch("lower-aten", module)
        PassManager.parse(CLEAN).run(module.operation)
        watch("clean-up", module)
        check(module)
        parameters: dict[str, Stored] = {}
        if store is Store.PARAMETERS:
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
        if operator_name(op) == CONSTANT:
            if list(op.results[0].uses):
                name = ir.StringAttr(op.operation.attributes[NODE]).value
                with ir.InsertionPoint(op):
                    value = constants.place(constants.graph.constant(name))
                    op.results[0].replace_all_uses_with(from_builtin(value, op.results[0].type))
            op.operation.erase()
