"""`--target graphviz`: the integer graph as text that `dot -Tsvg graph.dot` draws."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from dgqc.backends.target import Evidence, Target, Watch, ignore
from dgqc.ir.program import Program


@dataclass(frozen=True)
class GraphvizTarget(Target):
    """A node for each op, an arrow for each value. constants: whether they are drawn, too."""

    name: ClassVar[str] = "graphviz"
    about: ClassVar[str] = "the integer graph as Graphviz text, to be looked at"

    constants: bool = False

    def emit(self, program: Program, directory: Path, evidence: Evidence, watch: Watch = ignore) -> None:
        drawn = [node for node in program.graph.graph.nodes if self.constants or node.op != "get_attr"]
        lines = [f'  "{node.name}" [label="{node.target}"];' for node in drawn]
        lines += [
            f'  "{source.name}" -> "{node.name}";'
            for node in drawn
            for source in node.all_input_nodes
            if source in drawn
        ]
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "graph.dot").write_text("\n".join(["digraph {", *lines, "}", ""]), encoding="utf-8")
