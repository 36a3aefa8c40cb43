"""A planned program in the form that PyTorch's quantizers export: `quantized_decomposed` quantize and
dequantize ops around float ones, for toolchains that match such pairs. A simulation, not our integers."""

from __future__ import annotations

import torch
import torch.ao.quantization.fx._decomposed  # registers the ops
from torch import fx

from ..ir import ops as ops  # registers the `dgqc::` ops
from ..ir.errors import DgqcError
from ..ir.level import Level
from ..ir.plans import Coding, QuantizedActivation16, QuantizedOperand, QuantizedProbabilities, Weight
from ..ir.program import Program
from ..ir.tensors import constant

aten, dgqc = torch.ops.aten, torch.ops.dgqc
decomposed = torch.ops.quantized_decomposed


def export(program: Program) -> torch.export.ExportedProgram:
    """ATen and `quantized_decomposed` ops alone: float inputs and the step to the float output.

    program: at the planned level, after `timestep-tables`.
    Raises DgqcError where a plan has several groups, a scale that is found at run time, or codes that are
    powers of two: a pair of such ops can't say these.
    """
    if program.level is not Level.PLANNED:
        raise DgqcError(
            "Quantize and dequantize ops are made of a program at the planned level, and this one is at the "
            f"{program.level} level; stop after timestep-tables."
        )
    graph = fx.Graph()
    graph.output(graph.graph_copy(program.graph.graph, {}))
    module = fx.GraphModule(program.graph, graph)
    step = next(node for node in graph.nodes if node.op == "placeholder" and node.target == "step")
    with graph.inserting_after(step):
        index = graph.call_function(aten.reshape.default, (step, [1]))
    for node in list(graph.nodes):
        if node.target is dgqc.site.default:
            node.replace_all_uses_with(_site(program, module, node, index))
        elif node.target is dgqc.at_step.default:
            node.replace_all_uses_with(_row(module, node, index))
        elif node.op == "get_attr":
            _weight(program, module, node)
    graph.eliminate_dead_code()
    module.recompile()
    return torch.export.export(module, _examples(program, module), strict=False)


def _site(program: Program, module: fx.GraphModule, site: fx.Node, index: fx.Node) -> fx.Node:
    """The pair that the site's plan says; its source where the value stays as it is."""
    source, name = site.args
    plan = program.plans[str(name)]
    assert isinstance(source, fx.Node)
    if isinstance(plan, QuantizedActivation16):
        return source
    where = f"Site {name} ({site.meta.get('module') or site.name})"
    advice = "choose a preset such as naive-w8a8, or take the integer program"
    if isinstance(plan, QuantizedOperand):
        groups = plan.zero.shape[1]
        if groups > 1:
            raise DgqcError(f"{where} has {groups} groups, which quantize/dequantize can't say; {advice}.")
        scale, zero, bits = plan.scale[:, 0], plan.zero[:, 0], plan.operand.bits
    elif isinstance(plan, QuantizedProbabilities):
        if plan.coding is Coding.LOG2 or plan.scale is None:
            kind = "powers of two as codes" if plan.coding is Coding.LOG2 else "a scale found at run time"
            raise DgqcError(f"{where} has {kind}, which quantize/dequantize can't say; {advice}.")
        scale, zero, bits = plan.scale, torch.zeros(len(plan.scale)), plan.bits
    else:
        raise DgqcError(
            f"{where} has no single scale for each call, which quantize/dequantize would need; {advice}."
        )
    tables = (scale.to(torch.float32), zero.to(torch.int64))
    graph, last = module.graph, 2**bits - 1
    with graph.inserting_before(site):
        row = [graph.call_function(aten.index_select.default, (_add(module, t), 0, index)) for t in tables]
        how = (*row, 0, last, torch.uint8 if bits <= 8 else torch.uint16)
        codes = graph.call_function(decomposed.quantize_per_tensor.tensor, (source, *how))
        return graph.call_function(decomposed.dequantize_per_tensor.tensor, (codes, *how))


def _weight(program: Program, module: fx.GraphModule, node: fx.Node) -> None:
    """Codes of a planned weight, dequantized by output channel."""
    plan = program.plans.get(str(node.target))
    if isinstance(plan, Weight):
        graph, half = module.graph, 2 ** (plan.bits - 1)
        with graph.inserting_before(node):
            scale = _add(module, plan.scale.to(torch.float32))
            zero = _add(module, torch.zeros(len(plan.scale), dtype=torch.int64))
            args = (_add(module, plan.codes), scale, zero, 0, -half, half - 1, torch.int8)
            value = graph.call_function(decomposed.dequantize_per_channel.default, args)
        node.replace_all_uses_with(value)


def _row(module: fx.GraphModule, node: fx.Node, index: fx.Node) -> fx.Node:
    """The call's row of a table, by ATen ops."""
    table = node.args[0]
    assert isinstance(table, fx.Node)
    shape = list(constant(module, str(table.target)).shape[1:])
    with module.graph.inserting_before(node):
        row = module.graph.call_function(aten.index_select.default, (table, 0, index))
        return module.graph.call_function(aten.reshape.default, (row, shape))


def _add(module: fx.GraphModule, value: torch.Tensor) -> fx.Node:
    name = f"quantization_{sum(1 for _ in module.buffers())}"
    module.register_buffer(name, value)
    return module.graph.get_attr(name)


def _examples(program: Program, module: fx.GraphModule) -> tuple[torch.Tensor, ...]:
    shapes = {item.name: item.shape for item in program.inputs}
    names = [str(node.target) for node in module.graph.nodes if node.op == "placeholder"]
    return tuple(torch.zeros(shapes[name]) if name in shapes else torch.tensor(0) for name in names)
