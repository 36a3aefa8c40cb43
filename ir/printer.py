"""A program as text that people read and golden tests compare: one node a line, large constants elided."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from enum import StrEnum
from typing import Any

import torch
from torch import fx

from .memory import MemoryPlan
from .plans import Plan
from .program import Program
from .streams import Stream
from .tensors import constant

SMALL = 8
"""Constants of up to so many values are written out."""


def format_graph(program: Program) -> str:
    """The program's level, inputs, nodes and plans. The text depends on nothing but the program.

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
    if program.streams is not None:
        lines += ["streams:", *(f"  {_stream(stream)}" for stream in program.streams.streams)]
    if program.memory is not None:
        lines += _memory(program.memory)
    return "\n".join(lines)


def _stream(stream: Stream) -> str:
    nodes = " -> ".join(f"%{name}" for name in stream.nodes)
    if not stream.block:
        return f"{nodes}: whole"
    tile = f", in the tile: {', '.join(stream.tile)}" if stream.tile else ""
    threads = "" if stream.parallel else ", on one thread"
    return f"{nodes}: {stream.rows} rows, blocks of {stream.block}{threads}{tile}"


def _memory(plan: MemoryPlan) -> list[str]:
    head = f"memory: {plan.shared_bytes} bytes for all threads, {plan.thread_bytes} for each"
    shared = [
        f"  {b.offset} .. {b.offset + b.bytes}: {b.name}, streams {b.first} .. {b.last}" for b in plan.buffers
    ]
    own = [f"  {b.offset} .. {b.offset + b.bytes} of each thread: {b.name}" for b in plan.tiles]
    views = [f"  {v.name}: {v.offset} bytes into {v.of}" for v in plan.views]
    return [head, *shared, *own, *views, f"  output: {plan.output or 'copied'}"]


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
        parts = (f"{field.name}={_plain(getattr(value, field.name))}" for field in fields(value))
        return f"{type(value).__name__}({', '.join(parts)})"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_plain(item) for item in value)}]"
    return repr(value)
