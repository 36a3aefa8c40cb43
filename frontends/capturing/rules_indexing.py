"""How picking, repeating and reordering are captured: slices, and indices of an axis that are constants."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import fx
from torch.nn import functional as F

from .graph_builder import aten
from .registry import capture_rule
from .rewriter import Rewriter
from .rules_shape import concatenate, cut
from .rules_tokens import looked_up
from .values import CapturedValue, Constant, Padded


@capture_rule(aten.pad.default)
def pad(
    rewriter: Rewriter, value: fx.Node, padding: list[int], mode: str = "constant", fill: float | None = None
) -> CapturedValue:
    """Zeros around an image wait for the convolution; zeros after a vector (an embedding of odd width) are
    a slice of it times zero, which has the right batch size; edges, mirrors and circles are indices."""
    if not any(padding):
        return value
    rank = value.meta["val"].dim()
    if mode != "constant" or any(amount < 0 for amount in padding):
        return _by_index(rewriter, value, padding, mode)
    if fill:
        raise rewriter.unsupported(detail=f"it pads with {fill}, not with zeros")
    if len(padding) == 4 and rank == 4:
        return Padded(value, *padding)
    if padding == [0, 1] or padding == [0, 1, 0, 0]:
        zeros = rewriter.emit(aten.mul.Tensor, cut(rewriter, value, rank - 1, 0, 1), 0.0)
        return rewriter.emit(aten.cat.default, [value, zeros], rank - 1)
    return rewriter.with_zeros(value, padding)


@capture_rule(aten.constant_pad_nd.default)
def constant_pad(rewriter: Rewriter, value: fx.Node, padding: list[int], fill: float = 0) -> CapturedValue:
    """Zeros wait for a convolution, or indices are taken more often and a mask makes them zero."""
    return pad(rewriter, value, padding, fill=fill)


@capture_rule(aten.reflection_pad1d.default, aten.reflection_pad2d.default)
def reflection(rewriter: Rewriter, value: fx.Node, padding: list[int]) -> CapturedValue:
    """Indices, mirrored at the edges."""
    return pad(rewriter, value, padding, "reflect")


@capture_rule(aten.replication_pad1d.default, aten.replication_pad2d.default)
def replication(rewriter: Rewriter, value: fx.Node, padding: list[int]) -> CapturedValue:
    """Indices, the edges once more."""
    return pad(rewriter, value, padding, "replicate")


@capture_rule(aten.flip.default)
def flip(rewriter: Rewriter, value: fx.Node, dims: Sequence[int]) -> CapturedValue:
    """Indices backwards."""
    for dim in dims:
        size = int(value.meta["val"].shape[dim])
        value = rewriter.take(value, dim, torch.arange(size).flip(0))
    return value


@capture_rule(aten.roll.default)
def roll(
    rewriter: Rewriter, value: fx.Node, shifts: Sequence[int], dims: Sequence[int] = ()
) -> CapturedValue:
    if not dims:
        raise rewriter.unsupported(detail="it rolls all values as one row; name the axes")
    for shift, dim in zip(shifts, dims, strict=True):
        size = int(value.meta["val"].shape[dim])
        value = rewriter.take(value, dim, torch.arange(size).roll(shift))
    return value


@capture_rule(aten.repeat.default)
def repeat(rewriter: Rewriter, value: fx.Node, repeats: Sequence[int]) -> CapturedValue:
    """Indices, again and again."""
    shape = [int(size) for size in value.meta["val"].shape]
    value = rewriter.reshape(value, [1] * (len(repeats) - len(shape)) + shape)
    for axis, count in enumerate(repeats):
        size = int(value.meta["val"].shape[axis])
        value = rewriter.take(value, axis, torch.arange(size).repeat(int(count)))
    return value


@capture_rule(aten.repeat_interleave.self_int)
def repeat_interleave(
    rewriter: Rewriter, value: fx.Node, repeats: int, dim: int | None = None, output_size: int | None = None
) -> CapturedValue:
    if dim is None:
        value, dim = rewriter.reshape(value, [int(value.meta["val"].numel())]), 0
    size = int(value.meta["val"].shape[dim])
    return rewriter.take(value, dim, torch.arange(size).repeat_interleave(repeats))


@capture_rule(aten.index_select.default)
def index_select(rewriter: Rewriter, value: CapturedValue, dim: int, index: CapturedValue) -> CapturedValue:
    """Some indices of an axis, constants."""
    if not isinstance(index, Constant) or not isinstance(value, fx.Node):
        return _looked_up(rewriter, value, dim, index)
    return rewriter.take(value, dim, index.tensor.flatten())


@capture_rule(aten.index.Tensor)
def index(rewriter: Rewriter, value: CapturedValue, indices: list[CapturedValue]) -> CapturedValue:
    """Of one constant tensor of places along one axis, or of a table's rows by a condition."""
    named = [axis for axis, places in enumerate(indices) if places is not None]
    if len(named) != 1:
        raise rewriter.unsupported(detail=f"it is indexed along {len(named)} axes at once")
    axis, places = named[0], indices[named[0]]
    if not isinstance(places, Constant) or not isinstance(value, fx.Node):
        return _looked_up(rewriter, value, axis, places)
    tensor = places.tensor.nonzero().flatten() if places.tensor.dtype is torch.bool else places.tensor
    size = int(value.meta["val"].shape[axis])
    taken = rewriter.take(value, axis, tensor.flatten() % size)
    return rewriter.reshape(taken, [int(size) for size in rewriter.result().shape])


@capture_rule(aten.slice_scatter.default)
def slice_scatter(
    rewriter: Rewriter,
    value: fx.Node,
    source: CapturedValue,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> CapturedValue:
    """What stands before, the new part, what stands behind."""
    size = int(value.meta["val"].shape[dim])
    first, last, _ = slice(start, end).indices(size)
    if step != 1:
        raise rewriter.unsupported(detail=f"it writes to every {step}th place")
    if not isinstance(value, fx.Node):
        raise rewriter.unsupported(detail="it writes into a constant")
    parts = [cut(rewriter, value, dim, 0, first)] if first else []
    parts.append(source)
    parts += [cut(rewriter, value, dim, last, size)] if last < size else []
    return concatenate(rewriter, parts, dim)


@capture_rule(aten.select_scatter.default)
def select_scatter(
    rewriter: Rewriter, value: fx.Node, source: fx.Node, dim: int, place: int
) -> CapturedValue:
    """What stands before, the new part, what stands behind."""
    shape = [int(size) for size in value.meta["val"].shape]
    first = place % shape[dim]
    shape[dim] = 1
    return slice_scatter(rewriter, value, rewriter.reshape(source, shape), dim, first, first + 1)


def _looked_up(rewriter: Rewriter, table: CapturedValue, dim: int, index: CapturedValue) -> CapturedValue:
    """A table's rows, along its first axis alone."""
    if dim != 0:
        raise rewriter.unsupported(detail="it looks up values that depend on the sample")
    return looked_up(rewriter, table, index)


def _by_index(rewriter: Rewriter, value: fx.Node, padding: Sequence[int], mode: str) -> CapturedValue:
    """Each axis's own places, as PyTorch pads them."""
    rank = value.meta["val"].dim()
    for number in range(len(padding) // 2):
        axis, ends = rank - 1 - number, list(padding[2 * number : 2 * number + 2])
        places = torch.arange(int(value.meta["val"].shape[axis]), dtype=torch.float64)[None, None]
        padded = F.pad(places, ends, "replicate" if mode == "constant" else mode)
        if mode == "constant" and any(end > 0 for end in ends):
            raise rewriter.unsupported(detail=f"it cuts and pads at once: {list(padding)}")
        value = rewriter.take(value, axis, padded.flatten().to(torch.int64))
    return value
