"""`split-prologue`: what has no integer form and does not see the sample moves in front of the program."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import fx

from ...ir.level import Level
from ...ir.ops.captured import captured_op
from ...ir.program import SEEN, Input, Program
from ...ir.upstream import upstream_of
from ..base import Pass
from ..lowering.families import has_lowering, no_integer_form
from ..manager.registry import register_pass
from .edit import clean, constant, module_path, placeholders_upstream, propagate, shape

PROJECTIONS = ("encoder_hid_proj.image_projection_layers", "add_embedding.input_hint_block", "position_net")
"""Networks that read pictures or boxes, by their places in a model: a few layers before all others, whose
result stays the same while a picture is drawn. An IP-Adapter's, that of Kandinsky's hints, and GLIGEN's."""


@register_pass
@dataclass(frozen=True)
class SplitPrologue(Pass):
    """Sinusoids of SDXL's time ids, class-embedding look-ups and what makes tokens of pictures run in float,
    in front.

    They depend on the conditioning alone. Their results become inputs of the program, quantized to 16 bits
    at the boundary like every other input. An op without an integer form that does see the sample is
    refused with its module path.
    """

    name: ClassVar[str] = "split-prologue"
    takes: ClassVar[Level] = Level.CAPTURED
    leaves: ClassVar[Level] = Level.CAPTURED
    requires: ClassVar[frozenset[str]] = frozenset({"folded-time"})
    provides: ClassVar[frozenset[str]] = frozenset({"integer-ready"})

    def run(self, program: Program) -> Program:
        graph = program.graph.graph
        upstream = placeholders_upstream(graph)
        hoisted: set[fx.Node] = set()
        for node in graph.nodes:
            if node.op != "call_function":
                continue
            if not has_lowering(node):
                _refuse_unless_conditioning(node, upstream[node])
                hoisted |= _region_above(node)
            elif module_path(node).startswith(PROJECTIONS):
                hoisted |= _region_above(node)
            elif _follows(node, hoisted):
                hoisted.add(node)
        if not hoisted:
            return program
        frontier = [n for n in graph.nodes if n in hoisted and any(u not in hoisted for u in n.users)]
        prologue = _extract(program, hoisted, frontier)
        return _cut(program, hoisted, frontier, prologue, upstream).with_report(
            self.name, {"inputs": [_input_name(n, upstream) for n in frontier]}
        )


def _refuse_unless_conditioning(node: fx.Node, upstream: frozenset[str]) -> None:
    if upstream & {*SEEN, "step"}:
        raise no_integer_form(node)


def _region_above(node: fx.Node) -> set[fx.Node]:
    """The node and the calls it is computed from."""
    return {item for item in upstream_of([node]) if item.op == "call_function"}


def _follows(node: fx.Node, region: set[fx.Node]) -> bool:
    """Whether a node with an integer form moves as well, since it reads nothing but what moves."""
    record = captured_op(node)
    if record is None or not record.follows_conditioning:
        return False
    calls = [i for i in node.all_input_nodes if i.op != "get_attr"]
    return bool(calls) and all(i in region for i in calls)


def _input_name(node: fx.Node, upstream: dict[fx.Node, frozenset[str]]) -> str:
    return "_".join(sorted(upstream[node])) + "_embedding"


def _extract(program: Program, hoisted: set[fx.Node], frontier: list[fx.Node]) -> fx.GraphModule:
    """A graph from the model's inputs to (kept inputs..., frontier...)."""
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    root = fx.GraphModule({}, fx.Graph())
    for node in program.graph.graph.nodes:
        if node.op == "placeholder" and node.target != "step":
            copies[node] = graph.placeholder(str(node.target))
        elif node.op == "get_attr" and any(u in hoisted for u in node.users):
            root.register_buffer(node.name, constant(program.graph, node))
            copies[node] = graph.get_attr(node.name)
        elif node in hoisted:
            copies[node] = graph.node_copy(node, lambda n: copies[n])
    kept = [copies[n] for n in _kept_placeholders(program, hoisted)]
    graph.output(tuple(kept + [copies[n] for n in frontier]))
    return fx.GraphModule(root, graph)


def _kept_placeholders(program: Program, hoisted: set[fx.Node]) -> list[fx.Node]:
    return [
        n
        for n in program.graph.graph.nodes
        if n.op == "placeholder" and n.target != "step" and any(u not in hoisted for u in n.users)
    ]


def _cut(
    program: Program,
    hoisted: set[fx.Node],
    frontier: list[fx.Node],
    prologue: fx.GraphModule,
    upstream: dict[fx.Node, frozenset[str]],
) -> Program:
    graph = program.graph.graph
    kept = _kept_placeholders(program, hoisted)
    step = next(n for n in graph.nodes if n.op == "placeholder" and n.target == "step")
    inputs = [item for item in program.inputs if item.name in {str(n.target) for n in kept}]
    for number, node in enumerate(frontier):
        name = _input_name(node, upstream) + (f"_{number}" if number else "")
        with graph.inserting_before(step):
            placeholder = graph.placeholder(name)
        placeholder.meta.update(val=node.meta["val"], module=node.meta.get("module"))
        node.replace_all_uses_with(placeholder, delete_user_cb=lambda user: user not in hoisted)
        inputs.append(Input(name, shape(node)))
    for node in reversed(list(graph.nodes)):
        if node in hoisted:
            graph.erase_node(node)
    for node in list(graph.nodes):
        if node.op == "placeholder" and not node.users and node.target != "step":
            graph.erase_node(node)
    clean(program.graph)
    result = replace(program, inputs=tuple(inputs), prologue=prologue)
    propagate(result)
    return result
