"""`simulate`: plans become explicit fake-quantize ops, the papers' formulas in floating point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import fx

from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.ops.cached import OPTIONAL, arguments_of
from ...ir.plans import (
    Activation16,
    CachedValue,
    CallQuantizer,
    Coding,
    Correction,
    Dimension,
    GroupedOperand,
    ObservedActivation16,
    QuantizedActivation16,
    QuantizedOperand,
    QuantizedProbabilities,
    Role,
    SteppedOperand,
    Weight,
)
from ...ir.program import Program
from ..base import Pass
from ..graph.edit import add_constant, aten, call, clean, dgqc, module_path, propagate, shape
from ..manager.registry import register_pass


def operand_axis(plan: GroupedOperand | QuantizedOperand, dimensions: int) -> int:
    """The axis of an operand's tensor along which its groups lie. A convolution's pixels have none."""
    if plan.operand.role is Role.CONVOLUTION:
        return 1
    along_channels = plan.dimension is Dimension.CHANNEL
    last = along_channels != (plan.operand.role is Role.RIGHT)
    return dimensions - 1 if last else dimensions - 2


@register_pass
@dataclass(frozen=True)
class Simulate(Pass):
    """Every site becomes what its plan says; weights become the values their codes stand for.

    16-bit values between ops stay in floating point, as in all published simulations.
    """

    name: ClassVar[str] = "simulate"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.SIMULATED
    requires: ClassVar[frozenset[str]] = frozenset({"tables", "probabilities", "weights"})

    def run(self, program: Program) -> Program:
        module, graph = program.graph, program.graph.graph
        step = next(n for n in graph.nodes if n.op == "placeholder" and n.target == "step")
        for node in list(graph.nodes):
            if node.target is dgqc.site.default:
                with graph.inserting_before(node):
                    _replace_site(program, node, step)
        _dequantize_weights(program)
        clean(module)
        result = replace(program, graph=module, plans={})
        propagate(result)
        return result


def _replace_site(program: Program, site: fx.Node, step: fx.Node) -> None:
    graph, module = program.graph.graph, program.graph
    source, name = site.args[0], str(site.args[1])
    plan = program.plans[name]
    assert isinstance(source, fx.Node)
    if isinstance(plan, Activation16 | ObservedActivation16 | QuantizedActivation16):
        site.replace_all_uses_with(source)
    elif isinstance(plan, Correction):
        site.replace_all_uses_with(_corrected(module, plan, source, step, site))
    elif isinstance(plan, CachedValue):
        site.replace_all_uses_with(_cached(module, plan, source, step, site))
    elif isinstance(plan, QuantizedProbabilities):
        site.replace_all_uses_with(_probabilities(module, plan, source, step, site))
    elif isinstance(plan, SteppedOperand):
        _stepped(module, plan, source, step, site)
    elif isinstance(plan, QuantizedOperand):
        if plan.operand.role is Role.CONVOLUTION and plan.dimension is Dimension.PIXEL:
            for user in list(site.users):
                _pixel_convolution(module, plan, source, step, user)
        else:
            tables = _tables(module, plan, name)
            axis = operand_axis(plan, len(shape(site)))
            args = (source, step, *tables, axis, plan.operand.bits)
            site.replace_all_uses_with(call(graph, dgqc.fake_quantize.default, args, site))
    else:
        raise DgqcError(
            f"Site {name} in {module_path(site)} is not decided on yet; "
            "run the planning passes before simulate."
        )


def _tables(module: fx.GraphModule, plan: QuantizedOperand, name: str) -> tuple[fx.Node, ...]:
    return (
        add_constant(module, f"{name}_scale", plan.scale.to(torch.float32)),
        add_constant(module, f"{name}_zero", plan.zero.to(torch.float32)),
        add_constant(module, f"{name}_group", plan.group.to(torch.uint8)),
    )


def _probabilities(
    module: fx.GraphModule, plan: QuantizedProbabilities, source: fx.Node, step: fx.Node, site: fx.Node
) -> fx.Node:
    graph = module.graph
    if plan.coding is Coding.LOG2:
        assert plan.granularity is not None
        args = (source, plan.bits, plan.granularity.value)
        return call(graph, dgqc.fake_quantize_log2.default, args, site)
    if plan.granularity is not None:
        args = (source, plan.bits, plan.granularity.value)
        return call(graph, dgqc.fake_quantize_uniform.default, args, site)
    assert plan.scale is not None
    scale = add_constant(module, f"{site.args[1]}_scale", plan.scale.to(torch.float32))
    return call(graph, dgqc.fake_quantize_static.default, (source, step, scale, plan.bits), site)


def _corrected(
    module: fx.GraphModule, plan: Correction, source: fx.Node, step: fx.Node, site: fx.Node
) -> fx.Node:
    """factor * x + offset, from tables with a row per call."""
    sizes = (len(plan.factor), 1, -1, *[1] * (len(shape(site)) - 2))
    node = source
    for what, table, target in (
        ("factor", plan.factor, aten.mul.Tensor),
        ("offset", plan.offset, aten.add.Tensor),
    ):
        rows = add_constant(module, f"{site.args[1]}_{what}", table.to(torch.float32).reshape(sizes))
        now = call(module.graph, dgqc.at_step.default, (rows, step), site)
        node = call(module.graph, target, (node, now), site)
    return node


def _cached(
    module: fx.GraphModule, plan: CachedValue, source: fx.Node, step: fx.Node, site: fx.Node
) -> fx.Node:
    tables = {
        "source": plan.source.to(torch.int32),
        "factor": plan.factor.float(),
        "offset": plan.offset.float(),
    }
    tables |= {what: table.float() for what in OPTIONAL if (table := getattr(plan, what)) is not None}
    named = {what: add_constant(module, f"{site.args[1]}_{what}", table) for what, table in tables.items()}
    args = (source, step, *arguments_of(named, plan.axis))
    return call(module.graph, dgqc.cached.default, args, site)


def _pixel_convolution(
    module: fx.GraphModule, plan: QuantizedOperand, source: fx.Node, step: fx.Node, user: fx.Node
) -> None:
    graph = module.graph
    _, weight, bias, stride, padding = user.args[:5]
    with graph.inserting_before(user):
        tables = _tables(module, plan, f"{user.name}_input")
        args = (source, step, *tables, plan.operand.bits, weight, bias, stride, padding)
        result = call(graph, dgqc.conv2d_pixel_simulated.default, args, user)
    user.replace_all_uses_with(result)
    graph.erase_node(user)


def _stepped(
    module: fx.GraphModule, plan: SteppedOperand, source: fx.Node, step: fx.Node, site: fx.Node
) -> None:
    tables = tuple(
        add_constant(module, f"{site.args[1]}_{dimension}_{what}", table)
        for dimension, size in ((Dimension.CHANNEL, plan.channels), (Dimension.PIXEL, plan.pixels))
        for what, table in zip(("scale", "zero"), _by_call(plan.calls, dimension, size), strict=True)
    )
    if plan.operand.role is not Role.CONVOLUTION:
        last = len(shape(site)) - 1
        channel, pixel = (last - 1, last) if plan.operand.role is Role.RIGHT else (last, last - 1)
        args = (source, step, *tables, channel, pixel, plan.operand.bits)
        site.replace_all_uses_with(call(module.graph, dgqc.fake_quantize_stepped.default, args, site))
        return
    for user in list(site.users):
        _, weight, bias, stride, padding = user.args[:5]
        with module.graph.inserting_before(user):
            args = (source, step, *tables, plan.operand.bits, weight, bias, stride, padding)
            result = call(module.graph, dgqc.conv2d_stepped_simulated.default, args, user)
        user.replace_all_uses_with(result)
        module.graph.erase_node(user)


def _dequantize_weights(program: Program) -> None:
    graph, module = program.graph.graph, program.graph
    for node in list(graph.nodes):
        plan = program.plans.get(str(node.target)) if node.op == "get_attr" else None
        if isinstance(plan, Weight):
            scale = plan.scale.reshape(-1, *[1] * (plan.codes.dim() - 1))
            with graph.inserting_before(node):
                value = (plan.codes.double() * scale).to(torch.float32)
                node.replace_all_uses_with(add_constant(module, f"{node.name}_quantized", value))


def _by_call(
    calls: Sequence[CallQuantizer], dimension: Dimension, size: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scales and zeros along a dimension, float32 (T, size); 1 and 0 at calls that group the other one."""
    scale, zero = torch.ones(len(calls), size), torch.zeros(len(calls), size)
    for step, one in enumerate(calls):
        if one.dimension is dimension:
            scale[step], zero[step] = one.scale.float(), one.zero.float()
    return scale, zero
