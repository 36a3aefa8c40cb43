"""Norms that are written out, seen as norms: means, squares, roots and quotients, however they are put."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import fx

from ...ir.formula import VARIABLE, composed, function_of
from .functions import step_up
from .graph_builder import aten
from .rewriter import Rewriter
from .values import Constant, Mean

SCALED_BY = {aten.group_norm.default: 2, aten.layer_norm.default: 2, aten.rms_norm.default: 2}
"""Where a norm's gains stand among its arguments; its offsets, where it has any, follow."""


def mean_of(rewriter: Rewriter, value: fx.Node, axes: Sequence[int], keep: bool) -> fx.Node:
    """The mean over some axes: they are put last and made one. keep: as axes of size 1."""
    shape = list(value.meta["val"].shape)
    chosen = tuple(sorted(axis % len(shape) for axis in axes))
    rows = last_axes_as_one(rewriter, value, chosen)
    mean = rewriter.emit(aten.mean.dim, rows, [rows.meta["val"].dim() - 1], True)
    rewriter.means[mean] = Mean(value, chosen)
    sizes = [1 if axis in chosen else size for axis, size in enumerate(shape)]
    return rewriter.reshape(mean, sizes if keep else [s for a, s in enumerate(shape) if a not in chosen])


def last_axes_as_one(rewriter: Rewriter, value: fx.Node, axes: tuple[int, ...]) -> fx.Node:
    """A value (kept axes..., all of the others in one)."""
    shape = value.meta["val"].shape
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    moved = rewriter.permute(value, [*kept, *axes])
    sizes = [int(shape[axis]) for axis in kept] or [1]
    return rewriter.reshape(moved, [*sizes, math.prod(int(shape[axis]) for axis in axes)])


def normalized(rewriter: Rewriter, left: fx.Node, right: fx.Node) -> fx.Node | None:
    """A value times the reciprocal root of its own mean square, as a norm; None where it is anything else."""
    for value, root in ((left, right), (right, left)):
        found = _root_of_mean(rewriter, root)
        if found is None or found[0].source.target is not aten.mul.Tensor:
            continue
        mean, gain, epsilon = found
        square, other = mean.source.args[:2]
        if square is not other or not isinstance(square, fx.Node):
            continue
        centered = _centered(rewriter, value)
        if value is square or (centered is not None and centered == _centered(rewriter, square)):
            source = value if centered is None or centered.axes != mean.axes else centered.source
            return _norm(rewriter, source, mean.axes, source is not value, gain, epsilon)
    return None


def with_gain(rewriter: Rewriter, value: fx.Node, gain: Constant) -> fx.Node | None:
    """A norm times a constant for each channel as a norm with other gains; None where it is anything else."""
    return _with(rewriter, value, gain.tensor, torch.mul, ("weight", "bias"))


def with_offset(rewriter: Rewriter, value: fx.Node, offset: Constant) -> fx.Node | None:
    """A norm and a constant for each channel as a norm with other offsets."""
    return _with(rewriter, value, offset.tensor, torch.add, ("bias",))


def _with(
    rewriter: Rewriter, value: fx.Node, constant: torch.Tensor, combined: Any, what: tuple[str, ...]
) -> fx.Node | None:
    rank = value.meta["val"].dim()
    if value.users or constant.dim() > rank or not constant.is_floating_point():
        return None
    constant = constant.reshape((1,) * (rank - constant.dim()) + tuple(constant.shape))
    if value.target is aten.permute.default:
        source, dims = value.args
        assert isinstance(source, fx.Node)
        assert isinstance(dims, list)
        inner = _with(
            rewriter, source, constant.permute([dims.index(a) for a in range(rank)]), combined, what
        )
        return None if inner is None else rewriter.permute(inner, dims)
    names = [name for name in ("weight", "bias") if name in _parameters(value)]
    if not set(what) <= set(names) and what != ("weight", "bias"):
        return None
    channels = 1 if value.target is aten.group_norm.default else rank - 1
    if not names or constant.numel() not in (1, constant.shape[channels]):
        return None
    arguments: list[Any] = list(value.args)
    for name, place in _parameters(value).items():
        if name in what:
            before = rewriter.builder.tensor_of(arguments[place])
            arguments[place] = rewriter.constant(combined(before, constant.flatten()), name)
    return rewriter.emit(value.target, *arguments)


def _parameters(norm: fx.Node) -> dict[str, int]:
    """Where a norm's gains and offsets stand among its arguments; nothing where a node is none."""
    if norm.target is aten.rms_norm.default:
        return {"weight": 2}
    return {"weight": 2, "bias": 3} if norm.target in SCALED_BY else {}


def _root_of_mean(rewriter: Rewriter, node: fx.Node) -> tuple[Mean, float, float] | None:
    """gain / sqrt(mean + epsilon): the mean, gain and epsilon; None where a node is anything else."""
    text, sizes = VARIABLE, tuple(node.meta["val"].shape)
    while node not in rewriter.means:
        if node.target is aten.reshape.default and isinstance(node.args[0], fx.Node):
            node = node.args[0]
            continue
        step = step_up(node)
        if step is None:
            return None
        node, text = step[0], composed(text, step[1])
    mean = rewriter.means[node]
    shape = mean.source.meta["val"].shape
    kept = tuple(1 if axis in mean.axes else int(size) for axis, size in enumerate(shape))
    found = _reciprocal_root(text) if sizes == kept else None
    return found and (mean, *found)


def _reciprocal_root(text: str) -> tuple[float, float] | None:
    """gain and epsilon where a formula is gain / sqrt(x + epsilon)."""
    x = torch.tensor([0.0, 1e-6, 1e-3, 1.0, 10.0, 1e3], dtype=torch.float64)
    y = function_of(text)(x)
    if not bool((y > 0).all()):
        return None
    line = y**-2
    slope = float(line[-1] - line[0]) / 1e3
    if slope <= 0 or not torch.allclose(line, line[0] + slope * x, rtol=1e-5, atol=0):
        return None
    return slope**-0.5, float(line[0]) / slope


def _centered(rewriter: Rewriter, node: fx.Node) -> Mean | None:
    """Of which value, over which axes, a node is what is left without the mean."""
    if node.target is not aten.add.Tensor or not isinstance(node.args[1], fx.Node):
        return None
    value, less = node.args[:2]
    assert isinstance(less, fx.Node)
    if less.target is not aten.mul.Tensor or less.args[1] != -1 or not isinstance(less.args[0], fx.Node):
        return None
    mean = less.args[0]
    while mean.target is aten.reshape.default and isinstance(mean.args[0], fx.Node):
        mean = mean.args[0]
    found = rewriter.means.get(mean)
    return found if found is not None and found.source is value else None


def _norm(
    rewriter: Rewriter, value: fx.Node, axes: tuple[int, ...], centered: bool, gain: float, epsilon: float
) -> fx.Node:
    """The norm over some axes, with one gain. centered: with the mean taken off."""
    shape = [int(size) for size in value.meta["val"].shape]
    if centered and axes == tuple(range(2, len(shape))):
        image = _image(value, shape[1])
        channels = int(image.meta["val"].shape[1])
        affine = (_full(rewriter, channels, gain, "weight"), _full(rewriter, channels, 0.0, "bias"))
        found = rewriter.emit(aten.group_norm.default, image, shape[1], *affine, epsilon)
        return rewriter.reshape(found, shape)
    rows = last_axes_as_one(rewriter, value, axes)
    length = int(rows.meta["val"].shape[-1])
    weight = _full(rewriter, length, gain, "weight")
    if centered:
        bias = _full(rewriter, length, 0.0, "bias")
        found = rewriter.emit(aten.layer_norm.default, rows, [length], weight, bias, epsilon)
    else:
        found = rewriter.emit(aten.rms_norm.default, rows, [length], weight, epsilon)
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    order = [*kept, *axes]
    apart = rewriter.reshape(found, [shape[axis] for axis in order])
    return rewriter.permute(apart, [order.index(axis) for axis in range(len(shape))])


def _image(value: fx.Node, groups: int) -> fx.Node:
    """What a value (1, groups, ...) was before its channels were put into groups, or the value itself."""
    source = value.args[0] if value.target is aten.reshape.default else None
    if not isinstance(source, fx.Node):
        return value
    sizes = source.meta["val"].shape
    grouped = len(sizes) > 2 and sizes[0] == value.meta["val"].shape[0] and sizes[1] % groups == 0
    return source if grouped else value


def _full(rewriter: Rewriter, size: int, number: float, name: str) -> Constant:
    return rewriter.constant(torch.full((size,), number), name)
