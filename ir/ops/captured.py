"""One record for each op of the captured level: all that is to be known of it before it becomes integers.

How an exported model comes to hold the op is a capture rule (`dgqc.frontends.capturing.registry`), and its
integer form a lowering (`dgqc.passes.lowering.registry`); both register under the record's target. Everything
else that dgqc asks of a captured op, it asks the record. `register_captured` takes records of other packages'
ops as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import Any

from torch import fx

from ..verify.checks import VerificationRule, anything


class ProductKind(StrEnum):
    """What a product multiplies. Its weight, if it has one, is its second argument, output channels first."""

    CONVOLUTION = "convolution"
    LINEAR = "linear"
    ATTENTION = "attention"
    """Two activations: queries with keys, probabilities with values."""


class ChannelScales(StrEnum):
    """How the scales of a 16-bit value's channels go through an op (`activations/channel_classes.py`)."""

    ONE = "one"
    """All channels of the result have one scale, and so have those of every argument."""
    FREE = "free"
    """Each channel of the result may have any, which the op's constants take up: layers, tables, sums."""
    GROUPED = "grouped"
    """The result's are free; in the first argument each of as many groups as the second one says has one."""
    KEPT = "kept"
    """Those of the first argument, in other places: views, resampling."""
    ONE_SIDE = "one side"
    """The result has those of the smaller argument, the other one has one: products element by element."""
    JOINED = "joined"
    """Each part keeps its own: concatenations."""


def never(node: fx.Node) -> bool:
    """The result keeps the scale of the first argument, as in views."""
    return False


def always(node: fx.Node) -> bool:
    """The result's values are others than the arguments'."""
    return True


@dataclass(frozen=True)
class CapturedOp:
    """What is to be known of an op of the captured level.

    target: the ATen overload, or a custom op.
    rule: what the verifier demands of a node, apart from floating-point results where it sees the sample.
    conditioning: whether it may only see what is known before the first call: the timestep and the added
        conditions. Such ops have no lowering; all others have one.
    new_scale: whether a node's 16-bit result gets a scale of its own, and so a site.
    product: for products, what they multiply.
    view: whether the result has the values of the first argument and no memory of its own.
    follows_conditioning: whether it moves in front of the program where it reads nothing but what moves.
    channels: what is to be known of the scales of its result's channels, where they are not all one.
    reads_wide, gives_wide: whether its integer form takes values of 20 bits, or can give one (`ops.wide`).
    made_by: the pass, or another op's capture rule, that puts it into the graph; "" where models are captured
        with it, by its own.
    """

    target: Any
    rule: VerificationRule = anything
    conditioning: bool = False
    new_scale: Callable[[fx.Node], bool] = never
    product: ProductKind | None = None
    view: bool = False
    follows_conditioning: bool = False
    channels: ChannelScales = ChannelScales.ONE
    reads_wide: bool = False
    gives_wide: bool = False
    made_by: str = ""


_records: dict[Any, CapturedOp] = {}


def register_captured(*records: CapturedOp) -> None:
    """Makes ops ones of the captured level. Raises ValueError where an op has a record already."""
    for record in records:
        if record.target in _records:
            raise ValueError(f"{record.target} has a record already; an op has one")
        _records[record.target] = record


def captured_ops() -> Mapping[Any, CapturedOp]:
    """All records by their ops, in the order of registration."""
    return dict(_records)


def captured_op(node: fx.Node) -> CapturedOp | None:
    """The record of a node's op; None for inputs, constants and ops of other levels."""
    return _records.get(node.target) if node.op == "call_function" else None


def product_kind(node: fx.Node) -> ProductKind | None:
    """What a node multiplies; None where it is no product."""
    found = captured_op(node)
    return None if found is None else found.product


def is_layer(node: fx.Node) -> bool:
    """Whether a node is a product with weights."""
    return product_kind(node) in (ProductKind.CONVOLUTION, ProductKind.LINEAR)


def is_view(node: fx.Node) -> bool:
    """Whether a node's result has no memory of its own."""
    found = captured_op(node)
    return found is not None and found.view


def chooses_scale(node: fx.Node) -> bool:
    """Whether a node's 16-bit result has a scale of its own at the integer level. That of an input does,
    unless it holds whole numbers."""
    found = captured_op(node)
    if found is not None:
        return found.new_scale(node)
    return node.op == "placeholder" and bool(node.meta["val"].is_floating_point())


def channel_axis(node: fx.Node) -> int:
    """The axis of the channels of a node's result. node: it has `meta["val"]`."""
    found, axes = captured_op(node), len(node.meta["val"].shape)
    grouped = found is not None and found.channels is ChannelScales.GROUPED
    return 1 if grouped or axes == 4 else axes - 1


def summed(node: fx.Node) -> int:
    """Of how many products each value is the sum that a product gives.

    node: it and its arguments have `meta["val"]`, on any device.
    """
    side = node.args[1] if is_layer(node) else node.args[0]
    assert isinstance(side, fx.Node)
    sizes = side.meta["val"].shape
    return int(prod(sizes[1:]) if is_layer(node) else sizes[-1])


def weight_readers(graph: fx.Graph) -> Mapping[str, int]:
    """How many layers read each weight."""
    return Counter(str(node.args[1].target) for node in graph.nodes if is_layer(node))


def multiply_adds(graph: fx.Graph) -> int:
    """Of all products of a graph, one call. Nodes have `meta["val"]`, on any device."""
    return sum(products_in(node) for node in graph.nodes if product_kind(node) is not None)


def products_in(node: fx.Node) -> int:
    """Multiply-adds of one product."""
    return int(prod(node.meta["val"].shape)) * summed(node)
