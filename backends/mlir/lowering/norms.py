"""`dgqc::group_norm`, `dgqc::layer_norm`, `dgqc::rms_norm`, `dgqc::mean`, a norm in parts: exact moments of
a set, one reciprocal root, an affine map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch_mlir import ir

from ..arithmetic.fixed_point import round_shift, saturate, shift_either_way, stored_bits
from ..arithmetic.lookup import reciprocal_root
from ..arithmetic.number import Number
from ..arithmetic.tensors import Reads, each, loop_place, part, reduced, reshaped, shape_of, width_of
from .elementwise import requantize
from .module_builder import ModuleBuilder, OpCall
from .record import lowers
from .stages import Family

dgqc = torch.ops.dgqc


@lowers(dgqc.group_norm.default, Family.NORMS)
def group_norm(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """x (B, ..., C): sets are the channels of a group at all positions of an image."""
    x, groups = b.value(call, "x"), call["groups"]
    shape = shape_of(x)
    positions, size = math.prod(shape[1:-1]), shape[-1] // groups
    if shape[0] == 1:
        values = reshaped(x, [positions, groups, size])
        return reshaped(_normalized(b, call, values, sets=(1,), channels=(1, 2)), shape)
    values = reshaped(x, [shape[0], positions, groups, size])
    return reshaped(_normalized(b, call, values, sets=(0, 2), channels=(2, 3)), shape)


@lowers(dgqc.channel_sums.default, Family.NORMS)
def channel_sums(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """x (1, ..., C): sums of each channel and of its squares, in 16ths of a step, on top of those before."""
    values, shape = rows_of(b, call)

    def total(x: Number, so_far: Number) -> Number:
        return so_far + 16 * x.to(64)

    def squares(x: Number, so_far: Number) -> Number:
        return so_far + 256 * (x.to(64) * x.to(64))

    found = [reduced(shape, (1,), (0, 64), [(values, (0, 1))], body) for body in (total, squares)]
    reads = Reads()
    first, second = (reads.of(one, (1,)) for one in found)
    before = None if call["before"] is None else reads.of(b.value(call, "before"), (0, 1))

    def both(*n: Number) -> Number:
        own = loop_place(0).is_at_least(1).choose(second(n), first(n))
        return own if before is None else own + before(n)

    return each([2, shape[1]], 64, reads.operands, both)


@lowers(dgqc.layer_norm.default, Family.NORMS)
def layer_norm(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """x (..., C): sets are rows."""
    x = b.value(call, "x")
    shape = shape_of(x)
    values = reshaped(x, [math.prod(shape[:-1]), shape[-1]])
    return reshaped(_normalized(b, call, values, sets=(0,), channels=(1,)), shape)


@lowers(dgqc.rms_norm.default, Family.NORMS)
def rms_norm(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """x (..., C): each row over the root of its mean square."""
    values, shape = rows_of(b, call)
    rows, length = shape

    def squares(v: Number, so_far: Number) -> Number:
        return so_far + v.to(64) * v.to(64)

    energy = reduced(shape, (0,), (0, 64), [(values, (0, 1))], squares)

    def root(part: int) -> ir.Value:
        def body(total: Number) -> Number:
            return reciprocal_root(b, 256 * total + b.at_step(call["epsilon"]))[part]

        return each([rows], 64, [(energy, (0,))], body)

    def gain(gamma: Number) -> Number:
        return round_shift(gamma.to(64) * b.at_step(call["gamma_factor"]).to(64), 31)

    def scaled(v: Number, root: Number, half: Number, gain: Number) -> Number:
        shift = half + b.at_step(call["gamma_shift"]).to(64) + 10
        return saturate(shift_either_way(v.to(64) * ((root * gain) >> 31), shift), 16)

    gains = each([length], 64, [(b.constant(call["gamma"]), (0,))], gain)
    operands = [(values, (0, 1)), (root(0), (0,)), (root(1), (0,)), (gains, (1,))]
    return reshaped(each(shape, 16, operands, scaled), call.result_shape)


@lowers(dgqc.mean.default, Family.NORMS)
def mean(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """x (..., C): each row's sum in a scale of its own."""
    values, shape = rows_of(b, call)
    total = reduced(shape, (0,), (0, 64), [(values, (0, 1))], lambda v, so_far: so_far + v.to(64))
    found = each(shape[:1], 16, [(total, (0,))], lambda sum_of_row: requantize(b, call, sum_of_row))
    return reshaped(found, call.result_shape)


@lowers(dgqc.normalize.default, Family.NORMS)
def normalize(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """x (1, ..., C), a part of an image of which sums are known: (2, C)."""
    values, (rows, channels) = rows_of(b, call)
    groups = int(call["groups"])
    sizes = [groups, channels // groups]
    count = int(call["positions"]) * sizes[1]
    sums = reshaped(b.value(call, "sums"), [2, *sizes])
    total, squares = (
        reduced(sizes, (0,), (0, 64), [(reshaped(part(sums, 0, place, 1), sizes), (0, 1))], Number.__add__)
        for place in (0, 1)
    )

    def mean(x: Number) -> Number:
        return (2 * x + count).floor_divide(2 * count).to(32)

    def energy(total: Number, middle: Number, squares: Number) -> Number:
        m = middle.to(64)
        return squares - 2 * m * total + count * m * m

    means = each([groups], 32, [(total, (0,))], mean)
    found = each([groups], 64, [(total, (0,)), (means, (0,)), (squares, (0,))], energy)
    moments = Moments(means, found, (1,), (1, 2), 16)
    return reshaped(_affine(b, call, reshaped(values, [rows, *sizes]), moments), call.result_shape)


def rows_of(b: ModuleBuilder, call: OpCall) -> tuple[ir.Value, list[int]]:
    """x as rows, and how many and how long they are."""
    x = b.value(call, "x")
    shape = shape_of(x)
    sizes = [math.prod(shape[:-1]), shape[-1]]
    return reshaped(x, sizes), sizes


def _normalized(
    b: ModuleBuilder, call: OpCall, values: ir.Value, sets: Sequence[int], channels: Sequence[int]
) -> ir.Value:
    """sets: the axes that tell sets apart. channels: those that gain and offset belong to."""
    shape = shape_of(values)
    axes = range(len(shape))
    count = math.prod(size for axis, size in enumerate(shape) if axis not in sets)
    total = reduced(shape, sets, (0, 64), [(values, axes)], lambda x, so_far: so_far + x.to(64))
    # Values and means count in 16ths of a 16-bit step.
    finer = 1 if width_of(values) == 32 else 16

    def mean(x: Number) -> Number:
        """The mean, rounded; it fits 32 bits."""
        return (2 * finer * x + count).floor_divide(2 * count).to(32)

    sizes = [shape[axis] for axis in sets]
    own = range(len(sets))
    means = each(sizes, 32, [(total, own)], mean)

    def squares(x: Number, middle: Number, so_far: Number) -> Number:
        wide = (finer * x.to(32) - middle).to(64)
        return so_far + wide * wide

    energy = reduced(shape, sets, (0, 64), [(values, axes), (means, sets)], squares)
    return _affine(b, call, values, Moments(means, energy, sets, channels, finer))


@dataclass(frozen=True)
class Moments:
    """Of sets of values: their means, and what the squares of their distances from these add up to.

    sets: the axes that tell sets apart. channels: those that gain and offset belong to.
    finer: steps of a mean in one of a value.
    """

    means: ir.Value
    energy: ir.Value
    sets: Sequence[int]
    channels: Sequence[int]
    finer: int


def _affine(b: ModuleBuilder, call: OpCall, values: ir.Value, moments: Moments) -> ir.Value:
    """Values by their set's mean and energy."""
    shape, sets = shape_of(values), moments.sets
    axes = range(len(shape))

    def root(part: int) -> ir.Value:
        def body(x: Number) -> Number:
            # Groups with scales of their own have an epsilon each.
            group = (loop_place(len(sets) - 1),) if call["epsilon"].dim() == 2 else ()
            return reciprocal_root(b, x + b.at_step(call["epsilon"], *group))[part]

        sizes = [shape[axis] for axis in sets]
        return each(sizes, 64, [(moments.energy, range(len(sets)))], body)

    gain, offset = _gains(b, call, [shape[axis] for axis in moments.channels])
    reads = Reads()
    x, middle = reads.of(values, axes), reads.of(moments.means, sets)
    roots, halves = reads.of(root(0), sets), reads.of(root(1), sets)
    gains, offsets = reads.of(gain, moments.channels), reads.of(offset, moments.channels)

    left = 8 + 16 - call.width

    def affine(*n: Number) -> Number:
        centered = (moments.finer * x(n).to(32) - middle(n)).to(64)
        a = (roots(n) * gains(n)) >> 31
        shift = b.at_step(call["gamma_shift"]).to(64) + halves(n) + 6
        total = shift_either_way(centered * a, shift) + offsets(n)
        return saturate((total + (1 << (left - 1))) >> left, call.width)

    return each(shape, stored_bits(call.width), reads.operands, affine)


def _gains(b: ModuleBuilder, call: OpCall, sizes: list[int]) -> tuple[ir.Value, ir.Value]:
    """Gain, and offset in 1/256 steps, of each channel at this call, i64."""

    def gain(x: Number) -> Number:
        return round_shift(x.to(64) * b.at_step(call["gamma_factor"]).to(64), 31)

    def offset(x: Number) -> Number:
        factor, shift = (b.at_step(call[name]).to(64) for name in ("beta_factor", "beta_shift"))
        return round_shift(x.to(64) * factor, shift)

    axes = range(len(sizes))
    tables = ((call[name], body) for name, body in (("gamma", gain), ("beta", offset)))
    one, other = (each(sizes, 64, [(b.constant(table.reshape(sizes)), axes)], body) for table, body in tables)
    return one, other
