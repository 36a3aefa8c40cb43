"""Values in other places: `dgqc::gather`, `dgqc::take`, `dgqc::upsample_nearest`, `dgqc::avg_pool2d`."""

from __future__ import annotations

import torch
from torch_mlir import ir

from ..arithmetic.number import Number
from ..arithmetic.tensors import each, entry, loop_place, reduced, reshaped, shape_of, width_of
from .module_builder import ModuleBuilder, OpCall
from .record import lowers
from .stages import Family
from .windows import images_of, patches

dgqc = torch.ops.dgqc


@lowers(dgqc.gather.default, Family.MOVES)
def gather(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """y[.., j, ..] = x[.., order[j], ..]."""
    return _taken(b, call, call["order"])


@lowers(dgqc.take.default, Family.MOVES)
def take(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """y[.., j, ..] = x[.., index[j], ..]."""
    return _taken(b, call, call["index"])


def _taken(b: ModuleBuilder, call: OpCall, indices: torch.Tensor) -> ir.Value:
    values, shape = b.value(call, "x"), call.result_shape
    axis = call["axis"] % len(shape)
    order = b.constant(indices.to(torch.int32))

    def body(place: Number) -> Number:
        places = [loop_place(other) for other in range(len(shape))]
        places[axis] = place.to_index()
        return entry(values, *places)

    return each(shape, width_of(values), [(order, (axis,))], body)


@lowers(dgqc.upsample_nearest.default, Family.MOVES)
def upsample_nearest(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """y[i, j] = x[i * H // height, j * W // width]."""
    values = b.value(call, "x")
    images, height, width, channels = shape_of(values)
    # Several images, one below the other, are repeated like one.
    height, to = images * height, (images * call["height"], call["width"])
    image, bits = reshaped(values, [height, width, channels]), width_of(values)
    if to[0] % height == 0 and to[1] % width == 0:
        sizes = [height, to[0] // height, width, to[1] // width, channels]
        return reshaped(each(sizes, bits, [(image, (0, 2, 4))], lambda x: x), call.result_shape)
    nearest = [torch.arange(new) * old // new for new, old in zip(to, (height, width), strict=True)]
    rows, columns = (b.constant(order.to(torch.int32), "nearest") for order in nearest)

    def body(row: Number, column: Number) -> Number:
        places = (row.to_index(), column.to_index(), loop_place(2))
        return entry(image, *places)

    found = each([*to, channels], bits, [(rows, (0,)), (columns, (1,))], body)
    return reshaped(found, call.result_shape)


@lowers(dgqc.avg_pool2d.default, Family.MOVES)
def avg_pool2d(b: ModuleBuilder, call: OpCall) -> ir.Value:
    """Mean of kernel x kernel windows, rounded to nearest, ties up."""
    kernel, x = [call["kernel"]] * 2, b.value(call, "x")
    channels = shape_of(x)[-1]
    values, _ = patches(images_of(x), kernel, [call["stride"]] * 2, [0, 0])
    positions, count = shape_of(values)[0], int(call["kernel"]) ** 2
    windows = (reshaped(values, [positions, count, channels]), range(3))
    shape = [positions, count, channels]
    total = reduced(shape, [0, 2], (0, 32), [windows], lambda one, so_far: so_far + one.to(32))

    def mean(x: Number) -> Number:
        return (2 * x + count).floor_divide(2 * count).to(16)

    found = each([positions, channels], 16, [(total, range(2))], mean)
    return reshaped(found, call.result_shape)
