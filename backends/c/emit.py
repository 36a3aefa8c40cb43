"""A program at the integer level as a folder of C99."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import fx

from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.program import Program
from ...ir.scratch import ensure_shapes, shape_of
from .call import Call, Place, Region, text
from .calls import calls_of
from .loop import Drawing, loop_memory
from .memory import Memory
from .project import Project, Signature, Vector, source_names, write_project
from .scope import Scope
from .tables import Tables

__all__ = ["Vector", "emit"]

C_WORDS = frozenset(
    [
        "auto",
        "break",
        "case",
        "char",
        "const",
        "continue",
        "default",
        "do",
        "double",
        "else",
        "enum",
        "extern",
        "float",
        "for",
        "goto",
        "if",
        "inline",
        "int",
        "long",
        "register",
        "restrict",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "struct",
        "switch",
        "typedef",
        "union",
        "unsigned",
        "void",
        "volatile",
        "while",
        "arena",
        "noise",
        "output",
        "sample_of_step",
        "state",
        "status",
        "step",
    ]
)


@dataclass(frozen=True)
class Line:
    """One kernel call of the emitted `run` function, with the struct of its constants."""

    comment: str
    call: Call
    number: int

    @property
    def definition(self) -> str:
        if self.call.parameters is None:
            return ""
        fields = self.call.parameters.fields.items()
        lines = ",\n".join(f"    .{name} = {text(value)}" for name, value in fields)
        return f"static const {self.call.struct_type} p{self.number} = {{\n{lines}\n}};"

    @property
    def statement(self) -> str:
        parameters = [f"&p{self.number}"] if self.call.parameters else []
        return f"dgqc_{self.call.kernel}({', '.join(parameters + [text(a) for a in self.call.arguments])});"


def emit(
    program: Program,
    directory: Path,
    *,
    name: str = "model",
    vectors: Sequence[Vector] = (),
    drawing: Drawing | None = None,
) -> None:
    """Writes the program as C99 into `directory`, which is made if need be (docs/c-backend.md: its layout).

    program: at the integer level, with the report of `plan-memory`.
    name: prefix of every symbol and file of this program, a C identifier in lower case.
    vectors: what the emitted test runs and compares bit by bit.
    drawing: what it draws with the program's denoising loop, and compares.
    Raises DgqcError when the program or the name can't be emitted.
    """
    _check(program, name)
    ensure_shapes(program)
    tables = Tables(name)
    memory = Memory(program, tables)
    scope = Scope(memory, tables, dict(program.report.get("weight-bits", {})))
    result = output_of(program)
    lines: list[Line] = []
    for node in program.graph.graph.nodes:
        lines += [Line(_comment(node), call, len(lines) + i) for i, call in enumerate(calls_of(node, scope))]
    lines += [Line("output", call, len(lines)) for call in copied_output(result, memory)]
    signature = Signature(
        name=name,
        inputs=tuple((item.name, item.shape) for item in program.inputs),
        output=shape_of(result),
        steps=len(program.schedule),
        arena_bytes=memory.arena_bytes,
        sources=source_names(name, program.loop is not None),
        draw_arena_bytes=_draw_arena_bytes(program, memory.arena_bytes),
    )
    write_project(Project(signature, lines, tables, tuple(vectors), program.loop, drawing), directory)


def _draw_arena_bytes(program: Program, arena_bytes: int) -> int:
    return loop_memory(arena_bytes, math.prod(program.inputs[0].shape)).bytes if program.loop else 0


def output_of(program: Program) -> fx.Node:
    """The node whose value is the program's output."""
    result = next(node for node in program.graph.graph.nodes if node.op == "output").args[0]
    if not isinstance(result, fx.Node):
        raise DgqcError("The C backend takes graphs with one output, and this one has several.")
    return result


def copied_output(result: fx.Node, memory: Memory) -> list[Call]:
    """What brings the result to the caller's output where it isn't computed there."""
    source = memory.at(result)
    if source.region is Region.OUTPUT:
        return []
    size = result.meta["val"].numel() * result.meta["val"].element_size()
    return [Call("copy_blocks", (1, size, source, 0, Place(Region.OUTPUT, "output"), 0))]


def _comment(node: fx.Node) -> str:
    """Which node this is, and where it comes from in the user's model."""
    module = str(node.meta.get("module") or "")
    text = f"{node.name} ({module})" if module and module != node.name else node.name
    return re.sub(r"[^\w .,:()\[\]-]", "_", text)


def _check(program: Program, name: str) -> None:
    if program.level is not Level.INTEGER:
        raise DgqcError(
            f"The C backend takes programs at the integer level, not {program.level}; lower it first."
        )
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in C_WORDS or name.startswith("dgqc_"):
        raise DgqcError(
            f"{name!r} can't be the name of a C program; use lower case letters, digits and underscores."
        )
    for item in program.inputs:
        if not re.fullmatch(r"[A-Za-z]\w*", item.name, re.ASCII) or item.name in C_WORDS:
            raise DgqcError(
                f"The input {item.name!r} can't be the name of a C parameter; rename the placeholder."
            )
    ensure_shapes(program)
    result = output_of(program)
    if result.meta["val"].dtype != torch.int16:
        raise DgqcError(f"The output must be int16, but {result.name} is {result.meta['val'].dtype}.")
