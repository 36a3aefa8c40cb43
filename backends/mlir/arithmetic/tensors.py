"""Tensors of integers: types, views, and loops over them, emitted at the current insertion point."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch_mlir import ir
from torch_mlir.dialects import linalg, tensor

from .number import Number, number

Map = Sequence[int | str]
"""Which loop axes an operand's axes follow: an axis's number, or an expression such as "d0 * 2 + d3"."""
MappedOperand = tuple[ir.Value, Map]
Body = Callable[..., Number]
Reader = Callable[[Sequence[Number]], Number]
Filler = int | Callable[[], Number]
"""A number for all places, or what computes it inside a loop."""


class Reads:
    """The operands of a loop, collected one by one.

    Each gives a function that picks its element among the numbers that the body gets.
    """

    def __init__(self) -> None:
        self.operands: list[MappedOperand] = []

    def of(self, value: ir.Value, places: Map) -> Reader:
        """Read this tensor too."""
        index = len(self.operands)
        self.operands.append((value, places))
        return lambda numbers: numbers[index]


def integers(shape: Sequence[int], width: int) -> ir.RankedTensorType:
    """The type of a tensor of signless integers."""
    return ir.RankedTensorType.get(list(shape), ir.IntegerType.get_signless(width))


def shape_of(value: ir.Value) -> tuple[int, ...]:
    """A tensor's sizes."""
    return tuple(ir.RankedTensorType(value.type).shape)


def width_of(value: ir.Value) -> int:
    """Bits of a tensor's elements."""
    return int(ir.IntegerType(ir.RankedTensorType(value.type).element_type).width)


def filled(shape: Sequence[int], width: int, value: int) -> ir.Value:
    """A tensor of one value."""
    element = number(value, width).value
    return linalg.fill(element, outs=[tensor.empty(list(shape), ir.IntegerType.get_signless(width))])


def each(shape: Sequence[int], width: int, operands: Sequence[MappedOperand], body: Body) -> ir.Value:
    """A tensor computed element by element.

    operands: tensors, with the axes of `shape` that their own axes follow.
    body: from their elements to the result's, which has `width` bits.
    """
    into = tensor.empty(list(shape), ir.IntegerType.get_signless(width))
    place = tuple(range(len(shape)))
    return _loops(["parallel"] * len(shape), operands, (into, place), lambda *n: body(*n[:-1]))


def reduced(
    loops: Sequence[int],
    kept: Sequence[int],
    start: tuple[int, int],
    operands: Sequence[MappedOperand],
    body: Body,
) -> ir.Value:
    """A tensor over the axes `kept` of a nest of loops of these sizes; along the others it is folded.

    start: what a fold starts from, and its bits. body: from the operands' elements and the fold so far, last.
    """
    kinds = ["parallel" if axis in kept else "reduction" for axis in range(len(loops))]
    value, width = start
    return _loops(kinds, operands, (filled([loops[axis] for axis in kept], width, value), kept), body)


def loop_place(axis: int) -> Number:
    """Where a loop stands, an index; inside a body."""
    return Number(linalg.IndexOp(axis).result)


def entry(table: ir.Value, *places: Number) -> Number:
    """An element of a tensor. places: indices."""
    return Number(tensor.extract(table, [place.value for place in places]))


def reshaped(value: ir.Value, shape: Sequence[int]) -> ir.Value:
    """The same values in row-major order in another shape."""
    old = shape_of(value)
    if old == tuple(shape):
        return value
    width, runs = width_of(value), list(_runs(old, shape))
    merged = [math.prod(old[axis] for axis in before) for before, _ in runs]
    if tuple(merged) != old:
        places = ir.Attribute.parse(str([before for before, _ in runs]))
        value = tensor.collapse_shape(integers(merged, width), value, places)
    if merged != list(shape):
        places = ir.Attribute.parse(str([after for _, after in runs]))
        value = tensor.expand_shape(integers(shape, width), value, places, [], list(shape))
    return value


def part(value: ir.Value, axis: int, first: int, count: int) -> ir.Value:
    """`count` indices of an axis, from `first` on."""
    shape = shape_of(value)
    if count == shape[axis]:
        return value
    offsets = [first if place == axis else 0 for place in range(len(shape))]
    sizes = [count if place == axis else size for place, size in enumerate(shape)]
    kind = integers(sizes, width_of(value))
    return tensor.extract_slice(kind, value, [], [], [], offsets, sizes, [1] * len(shape))


def padded(value: ir.Value, before: Sequence[int], after: Sequence[int], around: Filler = 0) -> ir.Value:
    """A tensor with one number around it."""
    if not any((*before, *after)):
        return value
    old, width = shape_of(value), width_of(value)
    sizes = [b + size + a for b, size, a in zip(before, old, after, strict=True)]
    into = filled(sizes, width, around) if isinstance(around, int) else each(sizes, width, [], around)
    return tensor.insert_slice(value, into, [], [], [], list(before), list(old), [1] * len(sizes))


def affine_map(loops: int, places: Map) -> ir.Attribute:
    """(d0, d1, ...) -> (places)."""
    axes = ", ".join(f"d{axis}" for axis in range(loops))
    results = ", ".join(f"d{place}" if isinstance(place, int) else place for place in places)
    return ir.Attribute.parse(f"affine_map<({axes}) -> ({results})>")


def _loops(
    kinds: Sequence[str], operands: Sequence[MappedOperand], into: MappedOperand, body: Body
) -> ir.Value:
    everything = [*operands, into]
    maps = ir.ArrayAttr.get([affine_map(len(kinds), places) for _, places in everything])
    iterators = ir.ArrayAttr.get([ir.Attribute.parse(f"#linalg.iterator_type<{kind}>") for kind in kinds])
    op = linalg.GenericOp([into[0].type], [value for value, _ in operands], [into[0]], maps, iterators)
    elements = [ir.RankedTensorType(value.type).element_type for value, _ in everything]
    # Names of nodes belong to tensors; numbers inside a loop have none.
    nowhere = ir.Location.unknown()
    block = op.regions[0].blocks.append(*elements, arg_locs=[nowhere] * len(elements))
    with ir.InsertionPoint(block), nowhere:
        linalg.YieldOp([body(*(Number(argument) for argument in block.arguments)).value])
    return op.results[0]


def _runs(old: Sequence[int], new: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """The smallest runs of neighbouring axes that hold as many elements in both shapes."""
    left, right = list(range(len(old))), list(range(len(new)))
    runs: list[tuple[list[int], list[int]]] = []
    while left and right:
        before, after = [left.pop(0)], [right.pop(0)]
        while math.prod(old[a] for a in before) != math.prod(new[a] for a in after):
            if math.prod(old[a] for a in before) < math.prod(new[a] for a in after):
                before.append(left.pop(0))
            else:
                after.append(right.pop(0))
        runs.append((before, after))
    # Axes of size 1 at the end belong to the last run.
    runs[-1] = (runs[-1][0] + left, runs[-1][1] + right)
    return runs
