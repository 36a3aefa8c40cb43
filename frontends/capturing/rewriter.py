"""Rewrites an exported graph, op by op, into the captured level's few ops."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from ...ir.errors import DgqcError, UnsupportedOperation
from .graph_builder import CapturedGraphBuilder, aten
from .registry import capture_rule_of
from .values import CapturedValue, Complex, Constant, Expanded, Mean, Padded

Pending = Padded | Expanded | Complex
"""What stands for a value and isn't one yet."""


@dataclass(frozen=True)
class Refused:
    """An op of a model that has no integer form.

    op: as it is called in PyTorch. module: the path of the module that it stands in; empty for the model's
    own forward. message: all that there is to say.
    """

    op: str
    module: str
    message: str


class Rewriter:
    """Walks an exported graph and rebuilds it with a CapturedGraphBuilder, one capture rule per op.

    refused: takes what UnsupportedOperation says of each op without an integer form, in whose place an input
        stands then, so that the whole model can be looked at; None raises at the first.
    """

    def __init__(self, builder: CapturedGraphBuilder, refused: list[Refused] | None = None) -> None:
        self.builder = builder
        self.refused = refused
        self.node: fx.Node
        self.means: dict[fx.Node, Mean] = {}
        self._folded = 0

    def run(self, graph: fx.Graph, inputs: Sequence[CapturedValue]) -> fx.Node:
        """Rebuilds the graph and returns its single output.

        inputs: what stands for each placeholder of the exported graph, in order.
        Raises UnsupportedOperation for an op without a capture rule.
        """
        values: dict[fx.Node, CapturedValue] = {}
        waiting = iter(inputs)
        for node in graph.nodes:
            self.node = node
            if node.op == "placeholder":
                values[node] = next(waiting)
            elif node.op == "output":
                results = fx.map_arg(node.args[0], lambda value: self.whole(values[value]))
                if len(results) != 1 or not isinstance(results[0], fx.Node):
                    raise DgqcError(
                        f"The model returns {len(results)} values, but a UNet returns one tensor that "
                        "depends on its sample."
                    )
                return results[0]
            elif node.op == "call_function":
                values[node] = self._called(node, values)
            else:
                raise self.unsupported(f"{node.op} {node.target}")
        raise AssertionError("an exported graph ends with its output")

    @property
    def module(self) -> str:
        """The path of the module that the op at hand stands in."""
        return module_path(self.node)

    def emit(self, target: Any, *arguments: CapturedValue, suffix: str = "", **keywords: Any) -> fx.Node:
        """Adds a node, named after the module at hand."""
        path, is_leaf = self.module, _is_leaf(self.node)
        name = suffix or ("" if is_leaf and path else target._opname)
        return self.builder.emit(target, arguments, path, f"{path}.{name}" if name else path, **keywords)

    def permute(self, value: fx.Node, dims: Sequence[int], suffix: str = "") -> fx.Node:
        """Emits a permutation, or nothing where it changes nothing."""
        rank = value.meta["val"].dim()
        order = [dim % rank for dim in dims]
        if value.target is aten.permute.default:
            source, before = value.args
            assert isinstance(source, fx.Node)
            assert isinstance(before, list)
            return self.permute(source, [before[dim] for dim in order], suffix)
        if order == list(range(rank)):
            return value
        return self.emit(aten.permute.default, value, order, suffix=suffix)

    def reshape(self, value: fx.Node, shape: Sequence[int]) -> fx.Node:
        """Emits a reshape with a free leading dimension, or nothing where it changes nothing.

        shape: at batch 1.
        """
        if value.target is aten.reshape.default:
            source = value.args[0]
            assert isinstance(source, fx.Node)
            return self.reshape(source, shape)
        if tuple(value.meta["val"].shape) == tuple(shape):
            return value
        if not shape:
            raise self.unsupported(detail="it makes a tensor without a batch dimension")
        return self.emit(aten.reshape.default, value, [-1, *shape[1:]])

    def take(self, value: fx.Node, axis: int, index: torch.Tensor) -> fx.Node:
        """Some indices of an axis; a slice where they are neighbours, the value itself where they are all."""
        if index.is_meta:
            raise self.unsupported(detail="its indices have no values: the model is on the meta device")
        rank, size = value.meta["val"].dim(), int(value.meta["val"].shape[axis])
        first, count = int(index[0]), len(index)
        if torch.equal(index, torch.arange(first, first + count)):
            if count == size:
                return value
            return self.emit(aten.slice.Tensor, value, axis % rank, first, first + count)
        return self.emit(aten.index_select.default, value, axis % rank, self.constant(index, "index"))

    def with_zeros(self, value: fx.Node, padding: Sequence[int]) -> fx.Node:
        """Zeros before and after, last axis first: ends are taken more often, and a mask makes them zero."""
        rank, kind = value.meta["val"].dim(), value.meta["val"].dtype
        for number in range(len(padding) // 2):
            axis, (before, after) = rank - 1 - number, padding[2 * number : 2 * number + 2]
            size = int(value.meta["val"].shape[axis])
            if before or after:
                places = torch.arange(-before, size + after)
                inside = ((places >= 0) & (places < size)).to(kind).reshape(-1, *[1] * number)
                taken = self.take(value, axis, places.clamp(0, size - 1))
                value = self.emit(aten.mul.Tensor, taken, self.constant(inside, "inside"))
        return value

    def constant(self, tensor: torch.Tensor, name: str = "constant") -> Constant:
        """A new constant, named after the module at hand."""
        self._folded += 1
        return Constant(tensor.detach(), ".".join(filter(None, (self.module, f"{name}_{self._folded}"))))

    def result(self) -> torch.Tensor:
        """What the op at hand gives, at batch 1, as a fake tensor."""
        value: torch.Tensor = self.node.meta["val"]
        return value

    def unsupported(self, op: str | None = None, detail: str = "") -> UnsupportedOperation:
        """The error that names the op and its place, and says what to do."""
        place = f"module '{self.module}'" if self.module else "the model's own forward"
        because = f": {detail}" if detail else ""
        return UnsupportedOperation(
            f"dgqc can't compile {op or _readable(self.node.target)} in {place}{because}; replace it by ops "
            "that docs/ops.md lists, or keep it outside the UNet."
        )

    def _called(self, node: fx.Node, values: dict[fx.Node, CapturedValue]) -> CapturedValue:
        try:
            return self._call(node, values)
        except Exception as error:
            if self.refused is None:
                raise
            if isinstance(error, UnsupportedOperation):
                self.refused.append(Refused(_readable(node.target), self.module, str(error)))
            elif not self.refused:  # Else what stands in a refused op's place may be what failed.
                raise
            return self._in_its_place(node.meta["val"])

    def _in_its_place(self, value: Any) -> CapturedValue:
        """Inputs in the shapes of what an op gives."""
        if isinstance(value, list | tuple):
            return [self._in_its_place(one) for one in value]
        return self.builder.stand_in(value, self.module) if isinstance(value, torch.Tensor) else value

    def _call(self, node: fx.Node, values: dict[fx.Node, CapturedValue]) -> CapturedValue:
        arguments: Any = fx.map_arg(node.args, values.__getitem__)
        keywords: Any = fx.map_arg(node.kwargs, values.__getitem__)
        if node.target is operator.getitem:
            return arguments[0][arguments[1]]
        contained = list(_leaves([arguments, keywords]))
        if not any(isinstance(value, fx.Node | Pending) for value in contained):
            return self._fold(arguments, keywords)
        rule = capture_rule_of(node.target)
        if rule is None:
            raise self.unsupported()
        if not rule.takes_complex and any(isinstance(value, Complex) for value in contained):
            raise self.unsupported(detail="it computes with complex numbers")

        def taken(value: CapturedValue) -> CapturedValue:
            if isinstance(value, list | tuple):
                return type(value)(map(taken, value))
            if isinstance(value, Expanded) and rule.broadcasts:
                return value.value
            return value if isinstance(value, Padded) and rule.absorbs_padding else self.whole(value)

        try:
            found = rule.rewrite(
                self, *taken(arguments), **{name: taken(value) for name, value in keywords.items()}
            )
        except TypeError as error:
            raise self.unsupported(detail=f"unexpected arguments ({error})") from error
        return self._as_large(found) if rule.broadcasts else found

    def _as_large(self, value: CapturedValue) -> CapturedValue:
        """The result of an op that broadcasts; repeated where its arguments were and it isn't."""
        if not isinstance(value, fx.Node):
            return value
        shape = tuple(int(size) for size in self.result().shape)
        return value if tuple(value.meta["val"].shape) == shape else Expanded(value, shape)

    def whole(self, value: CapturedValue) -> CapturedValue:
        """What waits for a certain op, for any other one: zeros put around an image, and repeated values."""
        if isinstance(value, list | tuple):
            return type(value)(map(self.whole, value))
        if isinstance(value, Padded):
            return self.with_zeros(value.value, [value.left, value.right, value.top, value.bottom])
        if not isinstance(value, Expanded):
            return value
        found = value.value
        for axis, size in enumerate(value.shape):
            if found.meta["val"].shape[axis] != size:
                found = self.take(found, axis, torch.zeros(size, dtype=torch.int64))
        return found

    def _fold(self, arguments: Any, keywords: dict[str, Any]) -> CapturedValue:
        """Computes what depends on constants alone."""
        target: Any = self.node.target
        if isinstance(target, torch._ops.OpOverload):
            if torch.Tag.nondeterministic_seeded in target.tags:
                raise self.unsupported(detail="it is random")
            if "device" in keywords:
                keywords = {**keywords, "device": torch.device("cpu")}
        elif getattr(target, "__module__", "") not in ("_operator", "math"):
            raise self.unsupported()
        found = [value.tensor for value in _leaves([arguments, keywords]) if isinstance(value, Constant)]
        on_meta = any(tensor.is_meta for tensor in found)

        def tensor_of(value: CapturedValue) -> CapturedValue:
            if isinstance(value, Constant):
                return value.tensor.to("meta") if on_meta else value.tensor
            if isinstance(value, list | tuple):
                return type(value)(map(tensor_of, value))
            return value

        with torch.no_grad():
            result = target(
                *tensor_of(arguments), **{key: tensor_of(value) for key, value in keywords.items()}
            )
        if isinstance(result, torch.Tensor):
            same = next(
                (c for c in _leaves([arguments]) if isinstance(c, Constant) and c.tensor is result), None
            )
            return same or self.constant(result)
        if isinstance(result, list | tuple):
            return [self.constant(item) for item in result]
        return result


def module_path(node: fx.Node) -> str:
    """The path, in the user's model, of the module that an exported node stands in; "" for the model."""
    stack = node.meta.get("nn_module_stack")
    path = str(list(stack.values())[-1][0]) if stack else ""
    return strip_wrapper(path)


def strip_wrapper(path: str) -> str:
    """A path as the user knows it, without the wrapper that the model was exported in."""
    for prefix in ("L['self'].", "model.", "program."):
        path = path.removeprefix(prefix)
    return "" if path in ("model", "program") else path


def _is_leaf(node: fx.Node) -> bool:
    stack = node.meta.get("nn_module_stack")
    if not stack:
        return False
    kind = list(stack.values())[-1][1]
    name = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    return name.startswith("torch.nn.modules.") and "container" not in name


def _leaves(value: CapturedValue) -> Any:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, dict):
        yield from _leaves(list(value.values()))
    else:
        yield value


def _readable(target: object) -> str:
    return str(target).removeprefix("<built-in function ").removesuffix(">")
