"""How ops that move values are captured: reshape, permute, slice and cat are what remains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx

from .graph_builder import aten
from .registry import capture_rule
from .rewriter import Rewriter
from .values import CapturedValue, Constant, Expanded


@capture_rule(
    aten.view.default,
    aten.reshape.default,
    aten._unsafe_view.default,
    aten.flatten.using_ints,
    aten.unflatten.int,
    aten.unsqueeze.default,
    aten.squeeze.default,
    aten.squeeze.dim,
    aten.squeeze.dims,
)
def reshape(rewriter: Rewriter, value: fx.Node, *sizes: Any, **names: Any) -> CapturedValue:
    """The exported result's shape says it all."""
    return rewriter.reshape(value, [int(size) for size in rewriter.result().shape])


@capture_rule(aten.permute.default)
def permute(rewriter: Rewriter, value: fx.Node, dims: Sequence[int]) -> CapturedValue:
    """A view: memory is read in another order."""
    return rewriter.permute(value, dims)


@capture_rule(aten.transpose.int)
def transpose(rewriter: Rewriter, value: fx.Node, first: int, second: int) -> CapturedValue:
    dims = list(range(_rank(value)))
    dims[first], dims[second] = dims[second], dims[first]
    return rewriter.permute(value, dims)


@capture_rule(
    aten.movedim.int,
    aten.movedim.intlist,
    aten.swapaxes.default,
    aten.swapdims.default,
    aten.adjoint.default,
    aten.mT.default,
    aten.numpy_T.default,
)
def reorder(rewriter: Rewriter, value: fx.Node, *places: Any) -> CapturedValue:
    """PyTorch itself says in which order axes of different sizes come out."""
    target = rewriter.node.target
    assert isinstance(target, torch._ops.OpOverload)
    sizes = list(range(2, 2 + _rank(value)))
    return rewriter.permute(value, [sizes.index(size) for size in target(torch.empty(sizes), *places).shape])


@capture_rule(aten.t.default)
def matrix_transpose(rewriter: Rewriter, value: fx.Node) -> CapturedValue:
    return rewriter.permute(value, list(range(_rank(value)))[::-1])


@capture_rule(
    aten.contiguous.default,
    aten.clone.default,
    aten.alias.default,
    aten.detach.default,
    aten.detach_.default,
    aten.lift_fresh_copy.default,
    broadcasts=True,
)
def identity(rewriter: Rewriter, value: CapturedValue, **layout: Any) -> CapturedValue:
    """Nothing."""
    return value


@capture_rule(aten._assert_tensor_metadata.default)
def assertion(rewriter: Rewriter, *arguments: Any, **keywords: Any) -> CapturedValue:
    return None


@capture_rule(aten.dropout.default, aten.feature_dropout.default)
def dropout(rewriter: Rewriter, value: fx.Node, probability: float, train: bool) -> CapturedValue:
    if train and probability > 0:
        raise rewriter.unsupported(detail="the model is in training mode")
    return value


@capture_rule(
    aten.to.dtype,
    aten.to.dtype_layout,
    aten.to.device,
    aten.to.other,
    aten._to_copy.default,
    aten.type_as.default,
)
def convert(rewriter: Rewriter, value: fx.Node, *arguments: Any, **keywords: Any) -> CapturedValue:
    """Conversions to the same type go; others may stand in the conditioning only."""
    dtype = rewriter.result().dtype
    if dtype == value.meta["val"].dtype:
        return value
    if rewriter.builder.depends_on_sample(value):
        raise rewriter.unsupported(detail=f"it converts to {dtype}, but the model computes in float32")
    return rewriter.emit(aten.to.dtype, value, dtype)


@capture_rule(aten.expand.default, aten.expand_as.default, aten.broadcast_to.default, broadcasts=True)
def expand(rewriter: Rewriter, value: fx.Node, *sizes: Any, **keywords: Any) -> CapturedValue:
    """Repeating waits for what doesn't broadcast; conditions of more samples repeat at once."""
    shape = [int(size) for size in rewriter.result().shape]
    before = [int(size) for size in value.meta["val"].shape]
    if shape == before:
        return value
    if not rewriter.builder.depends_on_sample(value) and len(shape) == len(before):
        return rewriter.emit(aten.expand.default, value, [-1, *shape[1:]])
    aligned = rewriter.reshape(value, [1] * (len(shape) - len(before)) + before)
    return Expanded(aligned, tuple(shape))


@capture_rule(aten.slice.Tensor)
def slice_dimension(
    rewriter: Rewriter,
    value: fx.Node,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> CapturedValue:
    """A slice; with gaps, indices."""
    size = int(value.meta["val"].shape[dim])
    first, last, _ = slice(start, end).indices(size)
    if step != 1:
        return rewriter.take(value, dim, torch.arange(first, max(first, last), step))
    return cut(rewriter, value, dim, first, max(first, last))


@capture_rule(aten.narrow.default)
def narrow(rewriter: Rewriter, value: fx.Node, dim: int, start: int, length: int) -> CapturedValue:
    return cut(rewriter, value, dim, start, start + length)


@capture_rule(aten.select.int)
def select(rewriter: Rewriter, value: fx.Node, dim: int, index: int) -> CapturedValue:
    """A slice without its axis."""
    first = index % int(value.meta["val"].shape[dim])
    chosen = cut(rewriter, value, dim, first, first + 1)
    return rewriter.reshape(chosen, [int(size) for size in rewriter.result().shape])


@capture_rule(aten.chunk.default, aten.split.Tensor, aten.split_with_sizes.default, aten.split.sizes)
def split(rewriter: Rewriter, value: fx.Node, parts: int | list[int], dim: int = 0) -> CapturedValue:
    """One slice for each part; the exported results say how long each is."""
    sizes = [int(part.shape[dim]) for part in rewriter.node.meta["val"]]
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    return [cut(rewriter, value, dim, start, start + size) for start, size in zip(starts, sizes, strict=True)]


@capture_rule(aten.unbind.int)
def unbind(rewriter: Rewriter, value: fx.Node, dim: int = 0) -> CapturedValue:
    """One slice for each index, without its axis."""
    shape = [int(size) for size in value.meta["val"].shape]
    rest = [size for axis, size in enumerate(shape) if axis != dim % len(shape)]
    parts = [cut(rewriter, value, dim, index, index + 1) for index in range(shape[dim])]
    return [rewriter.reshape(part, rest) for part in parts]


@capture_rule(aten.stack.default)
def stack(rewriter: Rewriter, values: list[CapturedValue], dim: int = 0) -> CapturedValue:
    """A new axis of size 1 for each, along which they are put together."""
    axis = dim % rewriter.result().dim()
    shape = [int(size) for size in rewriter.result().shape]
    shape[axis] = 1
    parts = [
        rewriter.constant(part.tensor.reshape(shape), "part")
        if isinstance(part, Constant)
        else rewriter.reshape(part, shape)
        for part in values
    ]
    return concatenate(rewriter, parts, axis)


@capture_rule(aten.pixel_shuffle.default)
def pixel_shuffle(rewriter: Rewriter, value: fx.Node, factor: int) -> CapturedValue:
    return pixels_of_channels(rewriter, value, factor, factor)


@capture_rule(aten.pixel_unshuffle.default)
def pixel_unshuffle(rewriter: Rewriter, value: fx.Node, factor: int) -> CapturedValue:
    """Pixels become channels: views."""
    batch, channels, height, width = (int(size) for size in value.meta["val"].shape)
    apart = rewriter.reshape(value, [batch, channels, height // factor, factor, width // factor, factor])
    together = rewriter.permute(apart, [0, 1, 3, 5, 2, 4])
    return rewriter.reshape(together, [batch, channels * factor**2, height // factor, width // factor])


@capture_rule(aten.cat.default, aten.concat.default)
def concatenate(rewriter: Rewriter, values: list[CapturedValue], dim: int = 0) -> CapturedValue:
    """Parts in the result's scale, side by side."""
    rank = rewriter.result().dim()
    # Empty tensors of rank 1 are legal in a cat and add nothing.
    kept = [value for value in values if not (isinstance(value, Constant) and value.tensor.numel() == 0)]
    return kept[0] if len(kept) == 1 else rewriter.emit(aten.cat.default, kept, dim % rank)


def pixels_of_channels(rewriter: Rewriter, value: fx.Node, down: int, across: int) -> fx.Node:
    """Of each down * across channels, a block of pixels of one channel: views."""
    batch, channels, height, width = (int(size) for size in value.meta["val"].shape)
    left = channels // (down * across)
    apart = rewriter.reshape(value, [batch, left, down, across, height, width])
    between = rewriter.permute(apart, [0, 1, 4, 2, 5, 3])
    return rewriter.reshape(between, [batch, left, height * down, width * across])


def cut(rewriter: Rewriter, value: fx.Node, dim: int, start: int, end: int) -> fx.Node:
    """A range of an axis; the value itself where that is all of it."""
    shape = value.meta["val"].shape
    if start == 0 and end == shape[dim]:
        return value
    return rewriter.emit(aten.slice.Tensor, value, dim % len(shape), start, end)


def _rank(value: fx.Node) -> int:
    tensor: torch.Tensor = value.meta["val"]
    return tensor.dim()
