"""How a value is stored: the captured graph's axes, perhaps in another order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

Order = tuple[int, ...]
"""The axis that is stored first, the one that is stored second, ..."""


def plain(rank: int) -> Order:
    """As in the captured graph."""
    return tuple(range(rank))


def channels_last(rank: int) -> Order:
    """(1, C, ...) as (1, ..., C)."""
    return (0, *range(2, rank), 1)


def transposed(rank: int) -> Order:
    """(..., K, N) as (..., N, K)."""
    return (*range(rank - 2), rank - 1, rank - 2)


@dataclass(frozen=True)
class Layout:
    """shape: sizes of the captured graph's axes, for one sample. order: how these axes are stored."""

    shape: tuple[int, ...]
    order: Order

    @staticmethod
    def plain(shape: Sequence[int]) -> Layout:
        """Stored as in the captured graph."""
        return Layout(tuple(shape), plain(len(shape)))

    @property
    def stored(self) -> tuple[int, ...]:
        """The shape in memory."""
        return tuple(self.shape[axis] for axis in self.order)

    @property
    def size(self) -> int:
        """How many elements there are."""
        return math.prod(self.shape)

    def place(self, axis: int) -> int:
        """Where an axis is stored."""
        return self.order.index(axis % len(self.order))

    def arranged(self, order: Order) -> Layout:
        """The same axes in another order."""
        return replace(self, order=order)

    def permuted(self, dimensions: Sequence[int]) -> Layout:
        """The same memory after `aten.permute`."""
        axes = [dimension % len(self.shape) for dimension in dimensions]
        shape = tuple(self.shape[axis] for axis in axes)
        return Layout(shape, tuple(axes.index(axis) for axis in self.order))

    def reshaped(self, shape: Sequence[int]) -> Layout | None:
        """The same memory after `aten.reshape`; None where values would have to move, since axes that are
        merged do not lie side by side."""
        if tuple(shape) == self.shape:
            return self
        long = self._long(self.order)
        found: dict[int, list[int]] = {}
        for before, after in _blocks(self.shape, shape):
            first = long.index(before[0])
            if long[first : first + len(before)] != before:
                return None
            found[first] = after
        order = [axis for first in sorted(found) for axis in found[first]]
        for axis, size in enumerate(shape):
            if size == 1:  # it may lie anywhere: after its neighbour
                order.insert(order.index(axis - 1) + 1 if axis else 0, axis)
        return Layout(tuple(shape), tuple(order))

    def same_memory(self, order: Order) -> bool:
        """Whether the values lie alike in another order, which then moves axes of size 1 alone."""
        return self._long(self.order) == self._long(order)

    def _long(self, order: Order) -> list[int]:
        return [axis for axis in order if self.shape[axis] != 1]


def common_order(layouts: Sequence[Layout]) -> Order:
    """In which order values of one rank are combined element by element.

    That of the largest; among these, of one that is not plain, since it comes from an op that keeps channels
    last and is likely to go to another.
    """
    largest = max(layout.size for layout in layouts)
    orders = [layout.order for layout in layouts if layout.size == largest]
    return next((order for order in orders if order != plain(len(order))), orders[0])


def _blocks(before: Sequence[int], after: Sequence[int]) -> Iterator[tuple[list[int], list[int]]]:
    """The smallest runs of axes that a reshape turns into one another, axes of size 1 left out."""
    left, right = ([axis for axis, size in enumerate(shape) if size != 1] for shape in (before, after))
    while left:
        old, new = [left.pop(0)], [right.pop(0)]
        while (sizes := (_size(before, old), _size(after, new)))[0] != sizes[1]:
            if sizes[0] < sizes[1]:
                old.append(left.pop(0))
            else:
                new.append(right.pop(0))
        yield old, new


def _size(shape: Sequence[int], axes: Sequence[int]) -> int:
    return math.prod(shape[axis] for axis in axes)
