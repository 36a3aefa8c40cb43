"""Layouts against tensors: memory that stays, read through another order, is what PyTorch gives."""

from __future__ import annotations

import itertools
import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.passes.lowering.elementwise import lower_add, lower_cat
from dgqc.passes.lowering.layout import Layout, channels_last, common_order, plain
from dgqc.passes.lowering.values import Scaled
from dgqc.passes.lowering.views import lower_permute, lower_reshape, lower_slice

from .eager import EagerBuilder, found
from .numbers import SEEDS, integers

aten = torch.ops.aten
SHAPES = st.lists(st.sampled_from([1, 2, 2, 3, 4, 6]), min_size=1, max_size=5).map(tuple)
SCALE = torch.ones(1, dtype=torch.float64)


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    shape = draw(SHAPES)
    return Layout(shape, tuple(draw(st.permutations(range(len(shape))))))


def stored(layout: Layout) -> torch.Tensor:
    """Each element is its own index among the captured graph's axes; the memory is as the layout says."""
    return torch.arange(layout.size).reshape(layout.shape).permute(layout.order).contiguous()


def read(memory: torch.Tensor, layout: Layout) -> torch.Tensor:
    """The value by the captured graph's axes."""
    rank = len(layout.shape)
    return memory.reshape(layout.stored).permute([layout.place(axis) for axis in range(rank)])


def other_shape(data: st.DataObject, size: int) -> tuple[int, ...]:
    shape: list[int] = []
    while (rest := size // math.prod(shape)) > 1 and len(shape) < 5:
        shape.append(data.draw(st.sampled_from([d for d in range(1, rest + 1) if rest % d == 0])))
    return (*shape, size // math.prod(shape))


@given(layouts())
def test_a_value_is_read_as_it_was_stored(layout: Layout) -> None:
    assert torch.equal(read(stored(layout), layout), torch.arange(layout.size).reshape(layout.shape))


@given(layouts(), st.data())
def test_a_permuted_layout_reads_the_same_memory(layout: Layout, data: st.DataObject) -> None:
    rank = len(layout.shape)
    dimensions = [d - data.draw(st.sampled_from([0, rank])) for d in data.draw(st.permutations(range(rank)))]
    memory = stored(layout)
    permuted = read(memory, layout).permute(dimensions)
    assert torch.equal(read(memory, layout.permuted(dimensions)), permuted)


@given(layouts(), st.data())
def test_a_reshaped_layout_reads_the_same_memory_or_there_is_none(
    layout: Layout, data: st.DataObject
) -> None:
    shape, memory = other_shape(data, layout.size), stored(layout)
    reshaped = read(memory, layout).reshape(shape)
    after = layout.reshaped(shape)
    if after is not None:
        assert after.shape == shape
        assert torch.equal(read(memory, after), reshaped)
    else:
        orders = itertools.permutations(range(len(shape)))
        assert not any(torch.equal(read(memory, Layout(shape, order)), reshaped) for order in orders)


@given(layouts(), st.data())
def test_only_axes_of_size_1_move_within_the_same_memory(layout: Layout, data: st.DataObject) -> None:
    order = tuple(data.draw(st.permutations(layout.order)))
    other = layout.arranged(order)
    assert layout.same_memory(order) == torch.equal(stored(layout).flatten(), stored(other).flatten())


def test_an_image_is_flattened_and_split_into_heads_in_place() -> None:
    image = Layout((1, 8, 4, 6), channels_last(4))
    tokens = image.permuted([0, 2, 3, 1]).reshaped((1, 24, 8))
    assert tokens == Layout.plain((1, 24, 8))
    heads = tokens.reshaped((1, 24, 2, 4))
    assert heads is not None
    assert heads.permuted([0, 2, 1, 3]) == Layout((1, 2, 24, 4), (0, 2, 1, 3))
    assert heads.permuted([0, 2, 1, 3]).reshaped((1, 48, 4)) is None, "heads must be put apart for this"
    assert image.reshaped((1, 8, 24)) == Layout((1, 8, 24), (0, 2, 1))
    assert image.reshaped((1, 2, 4, 4, 6)) == Layout((1, 2, 4, 4, 6), (0, 3, 4, 1, 2))
    assert image.reshaped((1, 16, 12)) is None


def test_images_are_combined_channels_last() -> None:
    image, sample, row = (
        Layout((1, 8, 4, 6), channels_last(4)),
        Layout.plain((1, 8, 4, 6)),
        Layout.plain((1, 8, 1, 1)),
    )
    assert common_order([sample, row, image]) == channels_last(4)
    assert common_order([sample, row]) == plain(4)
    assert common_order([sample, row.arranged(channels_last(4))]) == plain(4), "the smaller one moves"


def value_of(builder: EagerBuilder, x: torch.Tensor, order: tuple[int, ...]) -> torch.fx.Node:
    """An old node that has become these integers, stored in an order."""
    scaled = Scaled(x.permute(order).contiguous(), SCALE, Layout(tuple(x.shape), order))  # type: ignore[arg-type]
    return builder.input(scaled, *x.shape)


@given(SEEDS, layouts(), st.data())
def test_views_and_sums_are_pytorchs_however_values_are_stored(
    seed: int, layout: Layout, data: st.DataObject
) -> None:
    builder, rank = EagerBuilder(), len(layout.shape)
    x = integers(seed, -9999, 9999, *layout.shape, dtype=torch.int16)
    y = integers(seed + 1, -9999, 9999, *layout.shape[data.draw(st.integers(0, rank)) :], dtype=torch.int16)
    node = value_of(builder, x, layout.order)
    other = value_of(builder, y, tuple(data.draw(st.permutations(range(y.dim())))))
    shape = other_shape(data, layout.size)
    dimensions = data.draw(st.permutations(range(rank)))
    axis = data.draw(st.integers(0, rank - 1))
    end = data.draw(st.integers(1, layout.shape[axis]))
    for target, args, rule, wanted in (
        (aten.permute.default, (node, dimensions), lower_permute, x.permute(dimensions)),
        (aten.reshape.default, (node, list(shape)), lower_reshape, x.reshape(shape)),
        (aten.slice.Tensor, (node, axis, 0, end), lower_slice, x.narrow(axis, 0, end)),
        (aten.add.Tensor, (node, other), lower_add, x + y),
        (aten.add.Tensor, (other, node), lower_add, y + x),
        (aten.add.Tensor, (node, 3.0), lower_add, x + 3),
    ):
        old = builder.op(target, args, tuple(wanted.shape), 1.0)
        assert torch.equal(found(builder, rule(builder, old)), wanted)


@given(SEEDS, layouts(), st.data())
def test_parts_are_put_together_however_they_are_stored(
    seed: int, layout: Layout, data: st.DataObject
) -> None:
    builder, rank = EagerBuilder(), len(layout.shape)
    x, y = (integers(seed + i, -9999, 9999, *layout.shape, dtype=torch.int16) for i in range(2))
    nodes = [value_of(builder, part, tuple(data.draw(st.permutations(range(rank))))) for part in (x, y)]
    axis = data.draw(st.integers(-rank, rank - 1))
    wanted = torch.cat([x, y], axis)
    old = builder.op(aten.cat.default, (nodes, axis), tuple(wanted.shape), 1.0)
    assert torch.equal(found(builder, lower_cat(builder, old)), wanted)
