"""The same function with massive channels in the residual stream, in skips, before norms and in logits.

Large models have them: after a GroupNorm a channel of 1e9 and one of 5 matter the same. Here whole groups of
channels are scaled up where they are produced and down where something else than a norm consumes them, by a
power of two, so that the float model computes what it did, but for the epsilon of the norms.

`with_massive_channels` finds the places in the captured graph, so any UNet will do; all, or those asked for.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from enum import StrEnum
from typing import Any

import torch
from torch import fx

from dgqc.frontends.capturing.capture import capture
from dgqc.ir.tensors import constant

aten = torch.ops.aten
FACTOR = 2.0**20
PART = 0.3
"""Of the sets of channels that can only be scaled together, how many are."""
SAME = (aten.upsample_nearest2d.vec, aten.avg_pool2d.default)
"""Ops that leave every channel's scale as it is."""

Channel = tuple[fx.Node, int]


class Place(StrEnum):
    """Where channels can be massive. A set of channels that can only be scaled together may be of the first
    two at once: a sum that a skip leads away."""

    RESIDUAL = "residual"
    """In sums of two values of one shape."""
    SKIPS = "skips"
    """In what is concatenated."""
    NORMS = "norms"
    """Before norms, and in neither."""
    LOGITS = "logits"
    """In queries; keys are the smaller."""


class Scales:
    """Which channels of which values can only be scaled together, and which not at all: sets that are joined.

    A value's channels lie along axis 1.
    """

    FIXED: Any = None

    def __init__(self) -> None:
        self._next: dict[Any, Any] = {}

    def of(self, item: Any) -> Any:
        """What stands for the set that a channel belongs to."""
        while (following := self._next.get(item, item)) != item:
            item = following
        return item

    def join(self, one: Any, other: Any) -> None:
        """Two channels have one scale from here on. The fixed ones stand for their set."""
        a, b = self.of(one), self.of(other)
        if a == b:
            return
        if a is self.FIXED:
            a, b = b, a
        self._next[a] = b

    def fix(self, node: fx.Node) -> None:
        """A value whose scale means something."""
        for channel in channels(node):
            self.join(channel, self.FIXED)


def channels(node: fx.Node) -> Iterator[Channel]:
    """The channels of a value."""
    shape = node.meta["val"].shape
    return ((node, index) for index in range(shape[1] if len(shape) > 1 else 1))


def with_massive_channels(
    unet: torch.nn.Module,
    factor: float = FACTOR,
    part: float = PART,
    seed: int = 0,
    places: Collection[Place] = tuple(Place),
    **shapes: Any,
) -> torch.nn.Module:
    """A copy of a UNet in float32 with massive channels; it computes the same but for the norms' epsilon.

    factor: what they are multiplied by, a power of two, or rounding differs. part: of the sets of channels
    that can be scaled in these places. seed: which. shapes: as `capture` takes them.
    """
    changed = copy.deepcopy(unet).float().requires_grad_(False)
    graph = capture(changed, **shapes).graph
    scales = _joined(graph)
    roots = [root for root, found in _places(graph, scales).items() if found & set(places)]
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(roots), generator=generator).tolist()
    massive = {roots[place] for place in order[: round(part * len(roots))]}
    with torch.no_grad():
        for node in graph.graph.nodes:
            _rescale(graph, node, lambda item: factor if scales.of(item) in massive else 1.0)
        if Place.LOGITS in places:
            _massive_logits(changed, factor, generator)
    return changed


def with_massive_context(
    unet: torch.nn.Module, factor: float = FACTOR, count: int = 4, seed: int = 0
) -> tuple[torch.nn.Module, torch.Tensor]:
    """A copy of a UNet that computes the same from a text's embedding some of whose channels are massive.

    Returns it with what the channels of `encoder_hidden_states` are to be multiplied by, float32 (D,).
    """
    changed = copy.deepcopy(unet).float().requires_grad_(False)
    parts: Any = [module for module in changed.modules() if type(module).__name__ == "BasicTransformerBlock"]
    width = parts[0].attn2.to_k.weight.shape[1]
    chosen = torch.randperm(width, generator=torch.Generator().manual_seed(seed))[:count]
    factors = torch.ones(width).index_fill(0, chosen, factor)
    with torch.no_grad():
        for block in parts:
            for layer in (block.attn2.to_k, block.attn2.to_v):
                layer.weight.div_(factors)
    return changed, factors


def _places(graph: fx.GraphModule, scales: Scales) -> dict[Any, set[Place]]:
    """Of each set of channels that can be scaled and that a norm reads, where they are."""
    found: dict[Any, set[Place]] = {}
    for node in graph.graph.nodes:
        if _is(node, aten.group_norm.default):
            found |= {scales.of(channel): set() for channel in channels(node.args[0])}
    found.pop(Scales.FIXED, None)
    for node in graph.graph.nodes:
        place = _place(node)
        if place is None:
            continue
        for channel in channels(node):
            if scales.of(channel) in found:
                found[scales.of(channel)].add(place)
    return {root: places or {Place.NORMS} for root, places in found.items()}


def _place(node: fx.Node) -> Place | None:
    if _is(node, aten.cat.default) and node.args[1] == 1:
        return Place.SKIPS
    if _is(node, aten.add.Tensor):
        sizes = [source.meta["val"].shape for source in node.all_input_nodes]
        return Place.RESIDUAL if len(sizes) == 2 and sizes[0] == sizes[1] else None
    return None


def _joined(graph: fx.GraphModule) -> Scales:
    scales = Scales()
    for node in graph.graph.nodes:
        if node.op in ("placeholder", "get_attr"):
            scales.fix(node)
        elif node.op == "output":
            scales.fix(node.all_input_nodes[0])
        elif node.op == "call_function":
            _join(scales, node)
    return scales


def _join(scales: Scales, node: fx.Node) -> None:
    tensors = [source for source in node.all_input_nodes if source.op != "get_attr"]
    shape = node.meta["val"].shape
    if _is(node, aten.group_norm.default):
        size = shape[1] // _arguments(node)[1]
        for source, index in channels(tensors[0]):
            scales.join((source, index), (source, index - index % size))
        if len(node.args) < 4 or node.args[2] is None:
            scales.fix(node)
    elif _is_convolution(node) or (_is(node, aten.linear.default) and len(shape) == 2):
        pass  # columns take the input's scales away, rows bring the output's
    elif _is(node, aten.cat.default) and node.args[1] == 1:
        parts = [channel for source in _arguments(node)[0] for channel in channels(source)]
        for channel, part in zip(channels(node), parts, strict=True):
            scales.join(channel, part)
    elif (_is(node, aten.add.Tensor) and len(tensors) == 2) or node.target in SAME or _adds_axes(node):
        for source in tensors:
            for (_, index), channel in zip(channels(source), channels(node), strict=True):
                scales.join((source, index), channel)
    else:
        for value in (*tensors, node):
            scales.fix(value)


def _rescale(graph: fx.GraphModule, node: fx.Node, scale: Any) -> None:
    """Rows of a producer's weights and bias up, columns of a consumer's down."""

    def vector(value: fx.Node) -> torch.Tensor:
        return torch.tensor([scale(channel) for channel in channels(value)])

    if _is(node, aten.group_norm.default):
        for argument in node.args[2:4]:
            if isinstance(argument, fx.Node):
                constant(graph, str(argument.target)).mul_(vector(node))
    elif _is_convolution(node) or (_is(node, aten.linear.default) and len(node.meta["val"].shape) == 2):
        source, weight, bias = (*_arguments(node), None)[:3]
        matrix = constant(graph, str(weight.target))
        matrix.div_(vector(source).reshape(1, -1, *(1,) * (matrix.dim() - 2)))
        matrix.mul_(vector(node).reshape(-1, *(1,) * (matrix.dim() - 1)))
        if isinstance(bias, fx.Node):
            constant(graph, str(bias.target)).mul_(vector(node))


def _massive_logits(unet: torch.nn.Module, factor: float, generator: torch.Generator) -> None:
    """One channel of each attention's queries up, the same of its keys down."""
    for module in unet.modules():
        part: Any = module
        if type(module).__name__ != "Attention" or part.to_q.weight.shape[0] != part.to_k.weight.shape[0]:
            continue
        index = int(torch.randint(part.to_q.weight.shape[0], (1,), generator=generator))
        for layer, by in ((part.to_q, factor), (part.to_k, 1 / factor)):
            layer.weight[index] *= by
            if layer.bias is not None:
                layer.bias[index] *= by


def _arguments(node: fx.Node) -> tuple[Any, ...]:
    return node.args


def _adds_axes(node: fx.Node) -> bool:
    """Whether a reshape only appends axes of size one: (1, C) to (1, C, 1, 1)."""
    if not _is(node, aten.reshape.default):
        return False
    before, after = _arguments(node)[0].meta["val"].shape, node.meta["val"].shape
    return tuple(after) == (*before, *(1,) * (len(after) - len(before))) and len(before) == 2


def _is(node: fx.Node, target: Any) -> bool:
    return node.op == "call_function" and node.target is target


def _is_convolution(node: fx.Node) -> bool:
    return _is(node, aten.conv2d.default) and (*node.args, None, 1, 0, 1, 1)[6:7] in ((1,), ())
