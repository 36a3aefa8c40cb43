"""Each fusion group of a program as a C function: what runs once, then the loop over blocks of rows.

A call's struct of constants lives in the block around that call, so that a stack holds one at a time.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace

from torch import fx

from ....ir.caching import skipped_nodes
from ....ir.program import Program
from ....ir.upstream import upstream_of
from ..kernels.context import EmissionContext
from ..kernels.kernel_call import ROWS, Argument, KernelCall, text
from ..kernels.registry import calls_of
from ..kernels.value_rows import row_count
from ..layout.fusion_groups import FusionGroup
from ..layout.plan import layout_of


@dataclass(frozen=True)
class Statement:
    """A call as C, with the struct that it takes, or nothing where it takes none."""

    comment: str
    definition: str
    call: str


@dataclass(frozen=True)
class Line:
    """One kernel call, with the struct of its constants.

    number: of the struct. finer: rows of the node's value for each row of the group.
    """

    comment: str
    call: KernelCall
    number: int
    finer: int = 1

    @property
    def definition(self) -> str:
        """The struct of constants; nothing where the kernel has none."""
        if self.call.parameters is None:
            return ""
        fields = self.call.parameters.fields.items()
        lines = ",\n".join(f"            .{name} = {text(value)}" for name, value in fields)
        return f"const {self.call.struct_type} p{self.number} = {{\n{lines}\n        }};"

    @property
    def statement(self) -> Statement:
        """The call itself."""
        return self._calling(self.call.kernel + "_rows" * self.call.by_rows, self.call.arguments)

    @property
    def prepare(self) -> Statement | None:
        """What runs before the first block; nothing where there is nothing to prepare."""
        prepare = self.call.prepare
        return None if prepare is None else self._calling(f"{self.call.kernel}_prepare", prepare)

    def reducing(self) -> tuple[Statement, Statement]:
        """What an extra loop over all blocks ends with, and what comes after that loop."""
        found = self.call.reduction
        assert found is not None
        rows = self._calling(f"{found.kernel}_reduce_rows", found.rows)
        return rows, self._calling(f"{found.kernel}_reduce_end", found.end)

    def _calling(self, kernel: str, arguments: tuple[Argument, ...]) -> Statement:
        parameters = [f"&p{self.number}"] if self.call.parameters else []
        rows = ROWS if self.finer == 1 else f"dgqc_finer({ROWS}, {self.finer})"
        given = [rows if argument == ROWS else text(argument) for argument in arguments]
        return Statement(self.comment, self.definition, f"dgqc_{kernel}({', '.join(parameters + given)});")


@dataclass(frozen=True)
class Loop:
    """Statements for each block of rows, then statements that run once after the loop."""

    body: tuple[Statement, ...]
    after: tuple[Statement, ...] = ()

    def uses(self, name: str) -> bool:
        """Whether a statement or a struct of it names this."""
        texts = (text for one in self.body for text in (one.call, one.definition))
        return any(re.search(rf"\b{name}\b", text) for text in texts)


@dataclass(frozen=True)
class Function:
    """A fusion group. whole: statements that run once; loops: over its blocks of rows. skipped: by shallow
    calls."""

    number: int
    group: FusionGroup
    whole: tuple[Statement, ...]
    loops: tuple[Loop, ...] = ()
    skipped: bool = False


def functions_of(
    program: Program, context: EmissionContext, windows: Container[int] = frozenset()
) -> list[Function]:
    """All fusion groups in their order. windows: the groups with which a window of constants begins."""
    fusion = layout_of(program).fusion
    assert fusion is not None
    nodes = {node.name: node for node in program.graph.graph.nodes}
    skipped = skipped_nodes(program.graph.graph)
    functions, number = list[Function](), 0
    for group in fusion.groups:
        if len(functions) in windows:
            context.constants.begin_window()
        members, lines = [nodes[name] for name in group.nodes], dict[str, list[Line]]()
        within = replace(context, group_rows=max(1, group.rows))
        for node in members:
            finer = row_count(node) // group.rows if group.block else 1
            calls = enumerate(calls_of(node, within), number)
            lines[node.name] = [Line(comment_of(node), call, place, finer) for place, call in calls]
            number += len(lines[node.name])
        function = _function(len(functions), group, members, lines)
        functions.append(replace(function, skipped=skipped.issuperset(group.nodes)))
    return functions


def _function(
    number: int, group: FusionGroup, members: list[fx.Node], lines: dict[str, list[Line]]
) -> Function:
    flat = tuple(line for node in members for line in lines[node.name])
    if not group.block:
        return Function(number, group, _body([flat]))
    loops = []
    for node in members:
        for line in lines[node.name]:
            if line.call.reduction is not None:
                rows, end = line.reducing()
                before = [lines[other.name] for other in _needed(node, members)]
                loops.append(Loop((*_body(before), rows), (end,)))
    loops.append(Loop(_body(lines[node.name] for node in members)))
    prepared = tuple(line.prepare for line in flat if line.prepare is not None)
    return Function(number, group, prepared, tuple(loops))


def _needed(node: fx.Node, group: list[fx.Node]) -> list[fx.Node]:
    """The nodes of a group that one of them is computed from, in order."""
    needed = upstream_of(node.all_input_nodes)
    return [other for other in group if other in needed]


def _body(lines: Iterable[Iterable[Line]]) -> tuple[Statement, ...]:
    return tuple(line.statement for some in lines for line in some)


def comment_of(node: fx.Node) -> str:
    """Which node this is, and where it comes from in the user's model."""
    module = str(node.meta.get("module") or "")
    found = f"{node.name} ({module})" if module and module != node.name else node.name
    return re.sub(r"[^\w .,:()\[\]-]", "_", found)
