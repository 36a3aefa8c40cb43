"""Tensors of the graph inside a program: written out where they are small, else as resources at the end of
the file, or as parameters beside it. Weights of 2, 3 and 4 bits stay packed; the program unpacks them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial

import torch
from torch_mlir import ir
from torch_mlir.dialects import arith

from ....ir.storage.narrow_codes import BYTE, FIELDS, pack_codes, stored_bytes
from ....ir.tensors import constants
from ..arithmetic.number import Number
from ..arithmetic.tensors import each, integers, loop_place, part, reshaped, shape_of
from .graph_constants import GraphConstants
from .parameters import ConstantStore, Stored

WRITTEN = 32
"""Constants of up to so many elements are written out in the text."""


@dataclass
class Constants:
    """Puts each tensor once at the start of the function.

    entry: the function's first block. graph: whose constants they are. store: where the large ones lie.
    resources: the large ones by key; grows as rules ask for constants.
    """

    entry: ir.Block
    graph: GraphConstants
    store: ConstantStore
    resources: dict[str, Stored] = field(default_factory=dict)
    _placed: dict[tuple[object, ...], ir.Value] = field(default_factory=dict)

    def place(self, value: torch.Tensor, name: str = "table") -> ir.Value:
        """The tensor as a value; equal ones are one value. name: of one that the graph doesn't hold."""
        name = self._names.get(value.data_ptr(), name)
        value = value.contiguous()
        key = (hashlib.sha256(value.numpy().data).digest(), value.dtype, value.shape)
        if key not in self._placed:
            same = bool((value == value.reshape(-1)[0]).all())
            stored = Stored(tuple(value.shape), value.dtype, lambda: value)
            self._placed[key] = self._at_start(name, lambda: self._constant(stored, name, same))
        return self._placed[key]

    def place_weight(self, name: str, shape: tuple[int, ...]) -> ir.Value:
        """A weight of the graph in another shape. It isn't kept, but read anew when it is written."""
        stored = Stored(shape, torch.int8, lambda: self.graph.constant(name).reshape(shape))
        bits = self.graph.weight_bits.get(name, BYTE)
        placed = partial(self._unpacked, bits=bits) if bits in FIELDS else self._constant
        if (name, shape) not in self._placed:
            self._placed[name, shape] = self._at_start(name, lambda: placed(stored, name))
        return self._placed[name, shape]

    @cached_property
    def _names(self) -> dict[int, str]:
        """Of the graph's tensors, by the address of their first element; whatever shares it has the name."""
        return {value.data_ptr(): name for name, value in constants(self.graph.module)}

    def _at_start(self, name: str, placed: Callable[[], ir.Value]) -> ir.Value:
        with ir.InsertionPoint.at_block_begin(self.entry), ir.Location.name(name):
            return placed()

    def _unpacked(self, stored: Stored, name: str, bits: int) -> ir.Value:
        """Weights of 2, 3 or 4 bits, stored as `pack_codes` packs them."""
        read = lambda: pack_codes(stored.read(), bits).view(torch.int8)  # noqa: E731
        packed = self._constant(Stored((stored_bytes(bits, stored.count),), torch.int8, read), name)
        codes, start, place = None, 0, 0
        for width in FIELDS[bits]:
            bytes_of_field = -(-stored.count * width // BYTE)
            top = place + width == bits
            field = _fields(part(packed, 0, start, bytes_of_field), width, place, stored.count, signed=top)
            codes = field if codes is None else _together(codes, field)
            start, place = start + bytes_of_field, place + width
        assert codes is not None
        return reshaped(codes, stored.shape)

    def _constant(self, stored: Stored, name: str, same: bool = False) -> ir.Value:
        """same: whether all its elements are."""
        kind = integers(stored.shape, 8 * stored.dtype.itemsize)
        if same or stored.count <= WRITTEN:
            return arith.constant(kind, ir.DenseElementsAttr.get(stored.read().numpy(), type=kind))
        key = self._key(name)
        self.resources[key] = stored
        if self.store is ConstantStore.PARAMETERS:
            return arith.constant(kind, ir.Attribute.parse(f"dense_resource<{key}> : {kind}"))
        values = stored.read().contiguous().numpy()
        return arith.constant(kind, ir.DenseResourceElementsAttr.get_from_buffer(values, key, kind))

    def _key(self, name: str) -> str:
        base = re.sub(r"\W+", "_", name)
        key, count = base, 0
        while key in self.resources:
            count += 1
            key = f"{base}_{count}"
        return key


def _fields(packed: ir.Value, width: int, place: int, count: int, *, signed: bool) -> ir.Value:
    """Fields of so many bits, the first of each byte the lowest, moved up to their place in a code."""
    size, times, spare = shape_of(packed)[0], BYTE // width, BYTE - width

    def field(byte: Number) -> Number:
        # Each goes to the top, and down again, with its sign where it has one.
        up = byte << (spare - (loop_place(1).from_index(BYTE) << width.bit_length() - 1))
        down = up >> spare if signed else up.shifted_unsigned(spare)
        return down << place if place else down

    return part(reshaped(each([size, times], BYTE, [(packed, (0,))], field), [size * times]), 0, 0, count)


def _together(low: ir.Value, high: ir.Value) -> ir.Value:
    """Codes from two fields each, which share no bit."""
    return each(shape_of(low), BYTE, [(low, (0,)), (high, (0,))], lambda one, other: one + other)
