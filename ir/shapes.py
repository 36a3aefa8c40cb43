"""Shapes and types of every value, computed anew from the inputs and constants."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import fx
from torch.fx.node import map_arg

from . import ops  # noqa: F401  (registers the dgqc ops)
from .level import Level
from .program import Program
from .tensors import constant

__all__ = ["TIME_INPUTS", "ShapeError", "propagated"]

TIME_INPUTS = {"step": ((), torch.int64), "timestep": ((1,), torch.float32)}
"""Shape and type of the placeholders that aren't tensor inputs."""


MOST_KNOWN = 10_000
"""Results that are remembered before it is begun anew."""
_known: dict[Any, Any] = {}


class ShapeError(Exception):
    """An op can't take what it is given.

    node: the op's node.
    """

    def __init__(self, node: fx.Node, error: Exception) -> None:
        super().__init__(str(error).strip().partition("\n")[0])
        self.node = node


def propagated(program: Program) -> dict[fx.Node, Any]:
    """Every node's value on the meta device, for one sample: a tensor, or a tuple of them.

    `step` alone is a real tensor (0), since indexing with it wants to know it. What `node.meta["val"]` says
    is used for nothing but the inputs' types.
    Raises ShapeError for the first op that can't take its arguments.
    """
    shapes = {item.name: item.shape for item in program.inputs}
    values: dict[fx.Node, Any] = {}
    for node in program.graph.graph.nodes:
        try:
            if node.op == "placeholder":
                values[node] = _input(node, shapes, program.level)
            elif node.op == "get_attr":
                values[node] = _alike(constant(program.graph, str(node.target)))
            elif node.op == "call_function":
                arguments = map_arg(tuple(node.args), values.__getitem__)
                keywords = map_arg(dict(node.kwargs), values.__getitem__)
                values[node] = _result(node.target, arguments, keywords)
            elif node.op == "output":
                values[node] = map_arg(node.args[0], values.__getitem__)
            else:
                raise TypeError(f"a graph holds no {node.op} nodes")
        except Exception as error:
            raise ShapeError(node, error) from error
    return values


def _alike(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor on the meta device with the same shape, strides and type."""
    key = _described(tensor)
    if key not in _known:
        _known[key] = tensor.to("meta")
    return cast(torch.Tensor, _known[key])


def _result(target: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """What an op gives.

    It follows from its arguments' shapes, types and plain values, so what was asked before is remembered:
    graphs repeat layers, and are looked at after every pass.
    """
    key = (target, _described(arguments), _described(tuple(sorted(keywords.items()))))
    if key not in _known:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        with torch.no_grad():
            _known[key] = target(*arguments, **keywords)
    return _known[key]


def _described(value: Any) -> Any:
    """All that a result's shape and type can follow from, as a key. Numbers keep their type: 1 is not 1.0."""
    if isinstance(value, torch.Tensor):
        return value.shape, value.stride(), value.dtype, value.device.type
    if isinstance(value, list | tuple):
        return tuple(_described(item) for item in value)
    return type(value), value


def _input(node: fx.Node, shapes: dict[str, tuple[int, ...]], level: Level) -> torch.Tensor:
    name = str(node.target)
    if name in TIME_INPUTS:
        shape, dtype = TIME_INPUTS[name]
        return (
            torch.zeros(shape, dtype=dtype)
            if name == "step"
            else torch.empty(shape, dtype=dtype, device="meta")
        )
    known = node.meta.get("val")
    default = torch.int16 if level is Level.INTEGER else torch.float32
    dtype = known.dtype if isinstance(known, torch.Tensor) else default
    if name not in shapes:
        raise KeyError(f"the program has no input {name}")
    return torch.empty(shapes[name], dtype=dtype, device="meta")
