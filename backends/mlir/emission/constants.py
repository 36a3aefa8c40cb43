"""Tensors of the graph inside a program: written out where they are small, else as resources at the end of
the file, or as parameters beside it. 4-bit weights stay packed; the program unpacks them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch_mlir import ir
from torch_mlir.dialects import arith

from ....ir.storage.nibbles import pack_nibbles
from ....ir.tensors import constants
from ..arithmetic.number import Number
from ..arithmetic.tensors import each, integers, loop_place, part, reshaped
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
        packed = self.graph.weight_bits.get(name, 8) == 4
        placed = self._unpacked if packed else self._constant
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

    def _unpacked(self, stored: Stored, name: str) -> ir.Value:
        """Weights of 4 bits, stored two a byte, the first in the low half."""
        size = (stored.count + 1) // 2
        read = lambda: pack_nibbles(stored.read()).view(torch.int8)  # noqa: E731
        packed = self._constant(Stored((size,), torch.int8, read), name)

        def half(byte: Number) -> Number:
            # Either half goes to the top, and down again with its sign.
            up = 4 - (loop_place(1).from_index(8) << 2)
            return (byte << up) >> 4

        codes = reshaped(each([size, 2], 8, [(packed, (0,))], half), [2 * size])
        return reshaped(part(codes, 0, 0, stored.count), stored.shape)

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
