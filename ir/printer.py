"""A program as text that people read and golden tests compare: one node a line, large constants elided."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import fields
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import torch
from torch import fx

from .plans import Plan
from .program import Program
from .tensors import constant

SMALL = 8
"""Constants of up to so many values are written out."""


@runtime_checkable
class Lines(Protocol):
    """What a backend's layout may have: its own text."""

    def lines(self) -> Iterable[str]:
        """Line by line, without newlines."""


def format_graph(program: Program) -> str:
    """The program's level, inputs, nodes, plans and layout. The text depends on nothing but the program.

    A constant of more than eight values is written as its type, its shape and a hash of its bytes.
    """
    facts = ", ".join(sorted(program.facts)) or "none"
    lines = [
        f"program {program.level}: {len(program.schedule)} calls of {program.schedule.scheduler}",
        f"facts: {facts}",
    ]
    lines += [_node(program.graph, node) for node in program.graph.graph.nodes]
    if program.plans:
        lines += [
            "plans:",
            *(f"  {name}: {format_plan(plan)}" for name, plan in sorted(program.plans.items())),
        ]
    if program.step_factors is not None:
        lines.append(f"step factors: {_plain(program.step_factors)}")
    if program.layout is not None:
        lines += _layout(program.layout)
    return "\n".join(lines)


def _layout(layout: object) -> list[str]:
    """The layout's own lines, or its fields where it has none."""
    return list(layout.lines()) if isinstance(layout, Lines) else [f"layout: {_plain(layout)}"]


def format_plan(plan: Plan) -> str:
    """A plan on one line: `PlacedOperand(operand=Operand(role=linear, bits=6), dimension=channel, ...)`."""
    return _plain(plan)


def format_tensor(tensor: torch.Tensor) -> str:
    """`int32[3] = [1, 2, 3]` where it is small, else `int8[8, 4] #9f86d081`."""
    if tensor.device.type == "meta":
        return _type(tensor)
    if tensor.numel() <= SMALL:
        return f"{_type(tensor)} = {tensor.tolist()}"
    return f"{_type(tensor)} #{tensor_hash(tensor)[:8]}"


def tensor_hash(tensor: torch.Tensor) -> str:
    """SHA-256 of a tensor's values in row-major order, as hexadecimal digits."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return hashlib.sha256(flat.view(torch.uint8).numpy().data).hexdigest()


def _node(graph: fx.GraphModule, node: fx.Node) -> str:
    if node.op == "output":
        return f"return {_argument(node.args[0])}"
    if node.op == "placeholder":
        return f"%{node.name} = input: {_value(node.meta.get('val'))}"
    if node.op == "get_attr":
        return f"%{node.name} = constant {node.target}: {format_tensor(constant(graph, str(node.target)))}"
    arguments = [_argument(argument) for argument in node.args]
    arguments += [f"{key}={_argument(value)}" for key, value in node.kwargs.items()]
    module = f"  // {node.meta['module']}" if node.meta.get("module") else ""
    call = f"{target_name(node)}({', '.join(arguments)})"
    return f"%{node.name} = {call}: {_value(node.meta.get('val'))}{module}"


def target_name(node: fx.Node) -> str:
    """`aten.add.Tensor`, `dgqc.linear`: an op's name without `.default`."""
    if isinstance(node.target, torch._ops.OpOverload):
        return str(node.target).removesuffix(".default")
    return str(getattr(node.target, "__name__", node.target))


def _argument(argument: Any) -> str:
    if isinstance(argument, fx.Node):
        return f"%{argument.name}"
    if isinstance(argument, list | tuple):
        return f"[{', '.join(_argument(item) for item in argument)}]"
    return str(argument).removeprefix("torch.") if isinstance(argument, torch.dtype) else repr(argument)


def _value(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return _type(value)
    if isinstance(value, list | tuple):
        return f"({', '.join(_value(item) for item in value)})"
    return "?"


def _type(tensor: torch.Tensor) -> str:
    dtype = str(tensor.dtype).removeprefix("torch.")
    return f"{dtype}[{', '.join(str(int(size)) for size in tensor.shape)}]"


def _plain(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return format_tensor(value)
    if isinstance(value, StrEnum):
        return value.value
    if hasattr(value, "__dataclass_fields__"):
        found = {field: getattr(value, field.name) for field in fields(value)}
        parts = (
            f"{field.name}={_plain(part)}"
            for field, part in found.items()
            if not (part is None and field.default is None)  # nothing is known, and it needn't be
        )
        return f"{type(value).__name__}({', '.join(parts)})"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_plain(item) for item in value)}]"
    return repr(value)
