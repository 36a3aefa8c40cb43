"""A planned program with some operands and weights in wider forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import fx

from ...ir.ops.captured import is_layer
from ...ir.plans import Plan, Weight
from ...ir.program import Program
from ..graph.edit import add_constant, aten, call, clean, constant, dgqc, identifier, propagate
from ..manager.failures import snapshot
from .forms import Forms, OperandForms, WeightForms, output_site, real_values


def widened(program: Program, chosen: Mapping[Forms, int]) -> Program:
    """The program with each of these in the form chosen, by its place; the given one stays as it is."""
    result = replace(program, graph=snapshot(program), plans={**program.plans})
    plans: dict[str, Plan] = dict(program.plans)
    for forms, place in chosen.items():
        if isinstance(forms, OperandForms):
            _widen_operand(result.graph.graph, plans, forms, place)
        else:
            _widen_weight(result, plans, forms, place)
    clean(result.graph)
    result = replace(result, plans=plans)
    propagate(result)
    return result


def _widen_operand(graph: fx.Graph, plans: dict[str, Plan], forms: OperandForms, place: int) -> None:
    if place < len(forms.plans):
        plans.update(dict.fromkeys(forms.names, forms.plans[place]))
        return
    for site in list(graph.nodes):
        if site.target is dgqc.site.default and site.args[1] in forms.names:
            del plans[str(site.args[1])]
            site.replace_all_uses_with(site.args[0])
            graph.erase_node(site)


def _widen_weight(program: Program, plans: dict[str, Plan], forms: WeightForms, place: int) -> None:
    parts = forms.plans[place]
    if len(parts) == 1:
        plans[forms.name] = parts[0]
        return
    graph = program.graph.graph
    (layer,) = (n for n in graph.nodes if is_layer(n) and str(n.args[1].target) == forms.name)
    site = output_site(layer, program)
    assert site is not None
    del plans[forms.name]
    _in_parts(program.graph, layer, site, parts, plans)


def _in_parts(
    module: fx.GraphModule,
    layer: fx.Node,
    site: fx.Node,
    parts: tuple[Weight, ...],
    plans: dict[str, Plan],
) -> None:
    """y = x w becomes x first + x second, each with the scale of y; second = w - first in the float graph."""
    graph, weight = module.graph, layer.args[1]
    assert isinstance(weight, fx.Node)
    real = constant(module, weight).detach()
    first = real_values(parts[0]).to(real.dtype)
    with graph.inserting_before(layer):
        nodes = [
            add_constant(module, f"{weight.target}.{what}", value)
            for what, value in (("first", first), ("second", real - first))
        ]
    plans |= {str(node.target): part for node, part in zip(nodes, parts, strict=True)}
    source, _, _, *others = (*layer.args, None)[: max(3, len(layer.args))]
    name = identifier(layer.name)
    layer.update_arg(1, nodes[0])
    with graph.inserting_after(layer):
        second = call(graph, layer.target, (source, nodes[1], None, *others), layer, f"{name}_second")  # type: ignore[arg-type]
    add_part(graph, layer, second, site, plans)


def add_part(graph: fx.Graph, layer: fx.Node, second: fx.Node, site: fx.Node, plans: dict[str, Plan]) -> None:
    """What a layer's site of a 16-bit result says, it says of the sum of two products, and of each of them.

    site: the one reader of the layer's result.
    """
    with graph.inserting_before(site):
        sides = []
        for part in (layer, second):
            plans[f"{part.name}.part"] = plans[str(site.args[1])]
            args = (part, f"{part.name}.part")
            sides.append(call(graph, dgqc.site.default, args, layer, f"{part.name}_part_site"))
        total = call(graph, aten.add.Tensor, tuple(sides), layer, f"{identifier(layer.name)}_sum")
    site.update_arg(0, total)
