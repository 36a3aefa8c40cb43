"""`insert-sites`: every value that will be quantized goes through a named `dgqc::site`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import fx

from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.ops.captured import ProductKind, chooses_scale, product_kind
from ...ir.plans import Activation16, Operand, Plan, Probabilities, Role
from ...ir.program import Program
from ..base import Decisions, Pass
from ..manager.registry import register_pass
from .attention import attentions, scores_of
from .edit import aten, call, clean, dgqc, edge_convolutions, propagate


@register_pass
@dataclass(frozen=True)
class InsertSites(Pass):
    """Marks operands of products, attention probabilities and 16-bit values between ops.

    bits: width of operands and probabilities.
    edges: width of the operands of the first and last convolution, at least `bits`; all published methods
        keep them higher. 16 leaves them as 16-bit values.
    """

    bits: int = 8
    edges: int = 8

    name: ClassVar[str] = "insert-sites"
    takes: ClassVar[Level] = Level.CAPTURED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"integer-ready"})
    provides: ClassVar[frozenset[str]] = frozenset({"sites"})

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 8:
            raise DgqcError(f"insert-sites takes bits from 2 to 8, not {self.bits}.")
        if not (self.edges == 16 or 2 <= self.edges <= 8):
            raise DgqcError(f"insert-sites takes edges from 2 to 8, or 16, not {self.edges}.")

    def decides(self) -> Decisions:
        return {"activation_bits": self.bits, "edge_activation_bits": max(self.bits, self.edges)}

    def run(self, program: Program) -> Program:
        graph = program.graph.graph
        plans: dict[str, Plan] = {}
        edges = edge_convolutions(graph)
        found = attentions(graph)
        logits = {node for attention in found for node in _between(attention.logits, attention.softmax)}
        parts = {node for attention in found if attention.start for node in attention.parts}
        parts |= {attention.softmax for attention in found}

        def operand(user: fx.Node, place: int, role: Role, bits: int, padded: bool, what: str) -> None:
            source = user.args[place]
            assert isinstance(source, fx.Node)
            name = f"{user.name}.{what}"
            with graph.inserting_before(user):
                site = call(graph, dgqc.site.default, (source, name), user, f"{user.name}_{what}_site")
            user.update_arg(place, site)
            plans[name] = Operand(role, bits, padded)

        for attention in found:
            _value_sites(graph, attention.value, attention.parts, plans, self.bits, attention.start)
            last = attention.parts[-1]
            source = last.args[0]
            assert isinstance(source, fx.Node)
            name = f"{attention.softmax.name}.probabilities"
            with graph.inserting_before(last):
                site = call(graph, dgqc.site.default, (source, name), attention.softmax)
            last.update_arg(0, site)
            plans[name] = Probabilities(self.bits)
        inside = {node for attention in found for node in attention.parts}
        start_logits = {attention.logits[0] for attention in found if attention.start}
        for node in list(graph.nodes):
            kind = product_kind(node)
            if kind is ProductKind.LINEAR:
                operand(node, 0, Role.LINEAR, self.bits, False, "input")
            elif kind is ProductKind.CONVOLUTION:
                bits = max(self.bits, self.edges) if node in edges else self.bits
                if bits <= 8:
                    operand(node, 0, Role.CONVOLUTION, bits, any(node.args[4]), "input")
            elif kind is ProductKind.ATTENTION and node not in inside:
                operand(node, 0, Role.LEFT, self.bits, False, "left")
                if node not in start_logits:  # the start token's key stays 16 bits wide
                    operand(node, 1, Role.RIGHT, self.bits, False, "right")
        for node in list(graph.nodes):
            if chooses_scale(node) and node not in logits and node not in parts and node.target != "step":
                _output_site(graph, node, plans)
        clean(program.graph)
        result = replace(program, plans={**program.plans, **plans})
        propagate(result)
        return result.with_report(self.name, {"sites": len(plans), "bits": self.bits, "edges": self.edges})


def _between(logits: tuple[fx.Node, ...], softmax: fx.Node) -> set[fx.Node]:
    """The nodes from the products to softmax's argument: logits, which have a universal unit."""
    found: set[fx.Node] = set(logits)
    stack = [softmax.args[0]]
    while stack:
        node = stack.pop()
        if isinstance(node, fx.Node) and node not in found:
            found.add(node)
            stack.extend([scores_of(node)] if node.target is aten.add.Tensor else node.all_input_nodes)
    return found


def _value_sites(
    graph: fx.Graph,
    value: fx.Node,
    parts: tuple[fx.Node, ...],
    plans: dict[str, Plan],
    bits: int,
    start: bool,
) -> None:
    """One site for all rows of the values, the start token's too, before they are sliced."""
    name = f"{parts[-1].name}.values"
    readers = [part.args[1] for part in parts] if start else list(parts)
    first = min((r for r in readers if isinstance(r, fx.Node)), key=list(graph.nodes).index)
    with graph.inserting_before(first):
        site = call(graph, dgqc.site.default, (value, name), parts[-1], f"{parts[-1].name}_values_site")
    for reader in readers:
        assert isinstance(reader, fx.Node)
        reader.replace_input_with(value, site)
    plans[name] = Operand(Role.RIGHT, bits, False)


def _output_site(graph: fx.Graph, node: fx.Node, plans: dict[str, Plan]) -> None:
    name = f"{node.name}.output"
    users = list(node.users)
    after = node
    if node.op == "placeholder":
        after = [n for n in graph.nodes if n.op == "placeholder"][-1]
    with graph.inserting_after(after):
        site = call(graph, dgqc.site.default, (node, name), node, f"{node.name}_output_site")
    if node.op == "placeholder":
        site.meta["module"] = node.name
    for user in users:
        user.replace_input_with(node, site)
    plans[name] = Activation16()
