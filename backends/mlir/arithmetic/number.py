"""Integers inside a program: `arith` written as arithmetic, so that a rule reads like its reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch_mlir import ir
from torch_mlir.dialects import arith


@dataclass(frozen=True)
class Number:
    """A signless integer or an index. Every operation is emitted at the current insertion point.

    Operands have one width; a Python integer takes the other's. It wraps like `arith`: rules prove that
    nothing wraps, or that it does not matter.
    """

    value: ir.Value

    @property
    def width(self) -> int:
        """Bits; 64 for an index."""
        kind = self.value.type
        return int(kind.width) if isinstance(kind, ir.IntegerType) else 64

    def __add__(self, other: Number | int) -> Number:
        return Number(arith.addi(self.value, self._like(other)))

    def __radd__(self, other: int) -> Number:
        return self + other

    def __sub__(self, other: Number | int) -> Number:
        return Number(arith.subi(self.value, self._like(other)))

    def __rsub__(self, other: int) -> Number:
        return Number(arith.subi(self._like(other), self.value))

    def __neg__(self) -> Number:
        return 0 - self

    def __mul__(self, other: Number | int) -> Number:
        return Number(arith.muli(self.value, self._like(other)))

    def __rmul__(self, other: int) -> Number:
        return self * other

    def __rshift__(self, other: Number | int) -> Number:
        """Arithmetic: floor division by a power of two."""
        return Number(arith.shrsi(self.value, self._like(other)))

    def shifted_unsigned(self, other: Number | int) -> Number:
        """Right, with zeros coming in."""
        return Number(arith.shrui(self.value, self._like(other)))

    def __lshift__(self, other: Number | int) -> Number:
        return Number(arith.shli(self.value, self._like(other)))

    def __rlshift__(self, other: int) -> Number:
        return Number(arith.shli(self._like(other), self.value))

    def __and__(self, other: Number | int) -> Number:
        return Number(arith.andi(self.value, self._like(other)))

    def __xor__(self, other: Number | int) -> Number:
        return Number(arith.xori(self.value, self._like(other)))

    def floor_divide(self, other: Number | int) -> Number:
        """Division by a positive number, rounded down."""
        return Number(arith.floordivsi(self.value, self._like(other)))

    def at_least(self, other: Number | int) -> Number:
        return Number(arith.maxsi(self.value, self._like(other)))

    def at_most(self, other: Number | int) -> Number:
        return Number(arith.minsi(self.value, self._like(other)))

    def clamp(self, low: int, high: int) -> Number:
        return self.at_least(low).at_most(high)

    def is_at_least(self, other: Number | int) -> Number:
        """A truth value: signed comparison."""
        return Number(arith.cmpi(arith.CmpIPredicate.sge, self.value, self._like(other)))

    def choose(self, yes: Number | int, no: Number) -> Number:
        """Of a truth value: `yes` where it holds, else `no`."""
        return Number(arith.select(self.value, no._like(yes), no.value))

    def absolute(self) -> Number:
        return self.at_least(-self)

    def to(self, width: int) -> Number:
        """Sign extended or cut off."""
        return self._resized(width, arith.extsi)

    def unsigned_to(self, width: int) -> Number:
        """Zero extended or cut off."""
        return self._resized(width, arith.extui)

    def to_index(self) -> Number:
        """As a place in a tensor: sign extended."""
        return Number(arith.index_cast(ir.IndexType.get(), self.value))

    def from_index(self, width: int) -> Number:
        """An index as an integer."""
        return Number(arith.index_cast(ir.IntegerType.get_signless(width), self.value))

    def _resized(self, width: int, extend: Any) -> Number:
        if width == self.width:
            return self
        kind = ir.IntegerType.get_signless(width)
        return Number((extend if width > self.width else arith.trunci)(kind, self.value))

    def _like(self, other: Number | int) -> ir.Value:
        if isinstance(other, Number):
            return other.value
        return arith.constant(self.value.type, _signed(other, self.width))


def number(value: int, width: int) -> Number:
    """A constant."""
    return Number(arith.constant(ir.IntegerType.get_signless(width), _signed(value, width)))


def index(value: int) -> Number:
    """A constant place in a tensor."""
    return Number(arith.constant(ir.IndexType.get(), value))


def _signed(value: int, width: int) -> int:
    """2^31 as a 32-bit constant is -2^31."""
    half = 1 << (width - 1)
    return value if width == 1 else (value + half) % (2 * half) - half
