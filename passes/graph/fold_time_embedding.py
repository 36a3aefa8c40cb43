"""`fold-time-embedding`: what depends on the timestep alone becomes a table with a row per call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import fx

from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.program import Program
from ..base import Pass
from ..manager.registry import register_pass
from .edit import add_constant, call, clean, constant, dgqc, placeholders_upstream, propagate


@register_pass
@dataclass(frozen=True)
class FoldTimeEmbedding(Pass):
    """Evaluates the time-embedding network at every call of the schedule and keeps only its results.

    Exact: the tables hold what the float model computes. The embedding's parameters leave the program, and
    with them TFMQ-DM's whole problem of quantizing temporal features (docs/methods.md). The placeholder
    `timestep` is replaced by `step`, the index of the call in the schedule.
    """

    name: ClassVar[str] = "fold-time-embedding"
    takes: ClassVar[Level] = Level.CAPTURED
    leaves: ClassVar[Level] = Level.CAPTURED
    provides: ClassVar[frozenset[str]] = frozenset({"folded-time"})

    def run(self, program: Program) -> Program:
        module, graph = program.graph, program.graph.graph
        timestep = next(n for n in graph.nodes if n.op == "placeholder" and n.target == "timestep")
        upstream = placeholders_upstream(graph)
        temporal = [n for n in graph.nodes if upstream[n] == {"timestep"}]
        frontier = [
            n for n in temporal if any(upstream[u] != {"timestep"} or u.op == "output" for u in n.users)
        ]
        parameters = _constants_of(temporal)
        tables = self._evaluate(module, timestep, temporal, frontier, program.schedule.timesteps)

        last = [n for n in graph.nodes if n.op == "placeholder"][-1]
        with graph.inserting_after(last):
            step = graph.placeholder("step")
            step.meta["val"] = torch.empty((), dtype=torch.int64, device="meta")
        for node, table in zip(frontier, tables, strict=True):
            with graph.inserting_before(node):
                rows = add_constant(module, f"{node.name}_table", table)
                folded = call(graph, dgqc.at_step.default, (rows, step), node, f"{node.name}_at_step")
            node.replace_all_uses_with(folded)
        for node in reversed(temporal):
            graph.erase_node(node)
        clean(module)
        result = replace(program, graph=module)
        propagate(result)
        kept = _constants_of(graph.nodes)
        gone = sum(parameters[name] for name in parameters if name not in kept)
        return result.with_report(
            self.name,
            {
                "tables": len(tables),
                "table_values": sum(t.numel() for t in tables),
                "folded_parameters": gone,
            },
        )

    def compute(self, node: fx.Node, values: Mapping[fx.Node, Any]) -> Any:
        """A node's value at one timestep, from those of the nodes that it reads."""
        arguments: Any = fx.node.map_arg((node.args, dict(node.kwargs)), lambda item: values[item])
        assert callable(node.target)
        return node.target(*arguments[0], **arguments[1])

    def _evaluate(
        self,
        module: fx.GraphModule,
        timestep: fx.Node,
        temporal: list[fx.Node],
        frontier: list[fx.Node],
        timesteps: tuple[float, ...],
    ) -> list[torch.Tensor]:
        """The frontier's values at every timestep, stacked: (T, ...) each."""
        rows: list[list[torch.Tensor]] = [[] for _ in frontier]
        with torch.no_grad():
            for time in timesteps:
                values: dict[fx.Node, Any] = {timestep: torch.tensor([time], dtype=torch.float32)}
                for node in temporal:
                    if node is timestep:
                        continue
                    for item in node.all_input_nodes:
                        if item.op == "get_attr":
                            values[item] = constant(module, item)
                    values[node] = self.compute(node, values)
                for row, node in zip(rows, frontier, strict=True):
                    value = values[node]
                    assert isinstance(value, torch.Tensor)
                    row.append(value.detach().clone())
                    _refuse_infinite(row[-1], time)
        return [torch.stack(row) for row in rows]


def _refuse_infinite(value: torch.Tensor, timestep: float) -> None:
    if not bool(torch.isfinite(value).all()):
        raise DgqcError(
            f"The model's time embedding is not finite at timestep {timestep:g}, as of a logarithm of what "
            "is not positive; compile for the schedule that the model was trained for (--scheduler)."
        )


def _constants_of(nodes: list[fx.Node] | fx.graph._node_list) -> dict[str, int]:
    """Names and sizes of the constants that the nodes read."""
    read = {i for node in nodes for i in node.all_input_nodes if i.op == "get_attr"}
    return {str(i.target): i.meta["val"].numel() for i in read}
