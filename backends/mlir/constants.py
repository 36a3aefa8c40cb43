"""Tensors of the graph inside a program: written out where they are small, else as resources at the end of
the file. 4-bit weights stay packed; the program unpacks them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch_mlir import ir
from torch_mlir.dialects import arith

from ...ir.nibbles import pack_nibbles
from .number import Number
from .tensors import each, integers, loop_place, part, reshaped

WRITTEN = 32
"""Constants of up to so many elements are written out in the text."""


@dataclass
class Constants:
    """Puts each tensor once at the start of the function.

    entry: the function's first block.
    names: of the graph's tensors, by the address of their first element; whatever shares it has the name.
    weight_bits: the width of weights, by name.
    resources: the large ones by key; grows as rules ask for constants.
    """

    entry: ir.Block
    names: Mapping[int, str]
    weight_bits: Mapping[str, int]
    resources: dict[str, torch.Tensor] = field(default_factory=dict)
    _placed: dict[tuple[object, ...], ir.Value] = field(default_factory=dict)

    def place(self, value: torch.Tensor, name: str = "table") -> ir.Value:
        """The tensor as a value; equal ones are one value. name: of one that the graph doesn't hold."""
        name = self.names.get(value.data_ptr(), name)
        value = value.contiguous()
        packed = self.weight_bits.get(name, 8) == 4
        digest = hashlib.sha256(value.numpy().data).digest()
        key = (digest, value.dtype, value.shape, packed)
        if key not in self._placed:
            with ir.InsertionPoint.at_block_begin(self.entry), ir.Location.name(name):
                self._placed[key] = self._unpacked(value, name) if packed else self._stored(value, name)
        return self._placed[key]

    def _unpacked(self, value: torch.Tensor, name: str) -> ir.Value:
        """Weights of 4 bits, stored two a byte, the first in the low half."""
        stored = self._stored(pack_nibbles(value).view(torch.int8), name)
        bytes_ = stored.type.shape[0]

        def half(byte: Number) -> Number:
            # Either half goes to the top, and down again with its sign.
            up = 4 - (loop_place(1).from_index(8) << 2)
            return (byte << up) >> 4

        codes = reshaped(each([bytes_, 2], 8, [(stored, (0,))], half), [2 * bytes_])
        return reshaped(part(codes, 0, 0, value.numel()), value.shape)

    def _stored(self, value: torch.Tensor, name: str) -> ir.Value:
        kind = integers(value.shape, 8 * value.element_size())
        if value.numel() <= WRITTEN or bool((value == value.reshape(-1)[0]).all()):
            return arith.constant(kind, ir.DenseElementsAttr.get(value.numpy(), type=kind))
        key = self._key(name)
        self.resources[key] = value
        return arith.constant(kind, ir.DenseResourceElementsAttr.get_from_buffer(value.numpy(), key, kind))

    def _key(self, name: str) -> str:
        base = re.sub(r"\W+", "_", name)
        key, count = base, 0
        while key in self.resources:
            count += 1
            key = f"{base}_{count}"
        return key
