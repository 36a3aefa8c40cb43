"""Builds a graph node by node and knows every value's shape as it does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.fx.node import map_arg

from ...ir.program import SEEN
from .values import Constant

aten = torch.ops.aten

LATER_INPUTS = SEEN | {"encoder_hidden_states"}
"""Inputs whose values are worth quantizing. What depends on none of them is conditioning: it may use ops
(sinusoids, embeddings) that have no integer form, since it is computed ahead of the graph."""


class CapturedGraphBuilder:
    """A graph under construction.

    Every emitted node carries `meta["val"]`, a tensor on the meta device with its shape and type at batch
    1, and `meta["module"]`, the module path in the user's model. Constants become attributes when a node
    first uses them, so that unused ones never appear.
    """

    def __init__(self) -> None:
        self.graph = fx.Graph()
        self._root = nn.Module()
        self._constants: dict[Constant, fx.Node] = {}
        self._taken: set[str] = set()
        self._sources: dict[fx.Node, frozenset[str]] = {}

    def placeholder(self, name: str, shape: Sequence[int], dtype: torch.dtype) -> fx.Node:
        """Adds an input."""
        node = self.graph.placeholder(name)
        self._annotate(node, torch.empty(tuple(shape), dtype=dtype, device="meta"), "", frozenset({name}))
        return node

    def stand_in(self, value: torch.Tensor, module: str) -> fx.Node:
        """Adds an input in the place of what can't be captured: a value that depends on the sample."""
        with self.graph.inserting_before(next(iter(self.graph.nodes))):
            node = self.graph.placeholder(f"uncaptured_{len(self._sources)}")
        empty = torch.empty(tuple(int(size) for size in value.shape), dtype=value.dtype, device="meta")
        self._annotate(node, empty, module, frozenset({"sample"}))
        return node

    def emit(
        self, target: torch._ops.OpOverload, arguments: Sequence[Any], module: str, name: str, **keywords: Any
    ) -> fx.Node:
        """Adds a call and returns its node.

        arguments: nodes, Constants (which become attributes), numbers, lists of them.
        module: the module path, for messages.
        name: what to call the node; made an identifier and unique.
        """
        placed = tuple(self._place(argument, module) for argument in arguments)
        node = self.graph.create_node("call_function", target, placed, keywords, identifier(name))
        values = map_arg(placed, lambda argument: argument.meta["val"])
        sources = frozenset[str]().union(*(self._sources[source] for source in node.all_input_nodes))
        self._annotate(node, target(*values, **keywords), module, sources)
        return node

    def depends_on_sample(self, node: fx.Node) -> bool:
        """Whether a value depends on more than the time step and the added conditions."""
        return bool(self._sources[node] & LATER_INPUTS)

    def tensor_of(self, node: object) -> torch.Tensor:
        """The tensor of a constant that a node has."""
        return next(constant.tensor for constant, place in self._constants.items() if place is node)

    def finish(self, output: fx.Node, device: torch.device, *, whole: bool = False) -> fx.GraphModule:
        """The graph with this output, without dead code, its attributes on the given device.

        whole: with dead code, since an op that was refused reads what comes before it.
        """
        self.graph.output(output).meta["val"] = output.meta["val"]
        if not whole:
            self.graph.eliminate_dead_code()
        for node in list(self.graph.nodes):
            if node.op == "placeholder" and not node.users and node.name not in {"sample", "timestep"}:
                self.graph.erase_node(node)
        for constant, node in self._constants.items():
            if constant.tensor.device != device:
                _set_attribute(
                    self._root, str(node.target), constant.tensor.to(device), constant.is_parameter
                )
        finished = fx.GraphModule(self._root, self.graph, class_name="CapturedUNet")
        finished.graph.lint()
        return finished

    def _place(self, argument: Any, module: str) -> Any:
        if isinstance(argument, Constant):
            return self._attribute(argument, module)
        if isinstance(argument, list | tuple):
            return type(argument)(self._place(item, module) for item in argument)
        return argument

    def _attribute(self, constant: Constant, module: str) -> fx.Node:
        if constant not in self._constants:
            name = constant.name
            while name in self._taken:
                name += "_again"
            self._taken.add(name)
            _set_attribute(self._root, name, constant.tensor, constant.is_parameter)
            node = self.graph.create_node("get_attr", name, name=identifier(name))
            self._annotate(node, constant.tensor.to("meta"), module, frozenset())
            self._constants[constant] = node
        return self._constants[constant]

    def _annotate(self, node: fx.Node, value: torch.Tensor, module: str, sources: frozenset[str]) -> None:
        node.meta["val"] = value
        node.meta["module"] = module
        self._sources[node] = sources


def identifier(name: str) -> str:
    """A readable identifier for a module path: `down_blocks.0.conv` becomes `down_blocks_0_conv`."""
    return re.sub(r"\W+", "_", name).strip("_") or "value"


def _set_attribute(root: nn.Module, path: str, tensor: torch.Tensor, is_parameter: bool) -> None:
    *parents, leaf = path.split(".")
    module = root
    for parent in parents:
        if parent not in module._modules:
            module.add_module(parent, nn.Module())
        module = module.get_submodule(parent)
    module._buffers.pop(leaf, None)
    module._parameters.pop(leaf, None)
    if is_parameter:
        module.register_parameter(leaf, nn.Parameter(tensor.detach(), requires_grad=False))
    else:
        module.register_buffer(leaf, tensor.detach())
