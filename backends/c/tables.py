"""Constants as C arrays: each tensor once, in a form that compiles fast."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import torch

from ...ir.lookup import LOG2, RECIPROCAL_ROOT
from ...ir.noise import QUANTILES
from .call import Place, Region

C_TYPES = {torch.int16: "int16_t", torch.int32: "int32_t", torch.int64: "int64_t"}
WORDS_A_LINE, NUMBERS_A_LINE = 6, 12


@dataclass
class Tables:
    """The constants of one program.

    prefix: of every array's name, so that two programs can be linked together.
    """

    prefix: str
    _names: dict[str, str] = field(default_factory=dict)
    _tensors: list[torch.Tensor] = field(default_factory=list)

    def add(self, tensor: torch.Tensor, offset: int = 0, step_elements: int = 0) -> Place:
        """A pointer to the tensor's elements; equal tensors share one array."""
        tensor = tensor.detach().contiguous()
        data = tensor.numpy().tobytes()
        key = f"{tensor.dtype} {hashlib.sha256(data).hexdigest()}"
        if key not in self._names:
            self._names[key] = f"{self.prefix}_table_{len(self._tensors)}"
            self._tensors.append(tensor)
        name = self._names[key]
        # Bytes are stored as words, and may be read as bytes whatever they are stored as.
        base = name if tensor.dtype in C_TYPES else f"(const {byte_type(tensor)} *){name}"
        return Place(Region.CONSTANT, base, offset, step_elements, tensor)

    def declarations(self) -> list[str]:
        """`extern` declarations of all arrays."""
        return [f"extern {self._head(i)};" for i in range(len(self._tensors))]

    def definitions(self) -> list[str]:
        """All arrays with their values."""
        return [f"{self._head(i)} = {{\n{values(t)}\n}};" for i, t in enumerate(self._tensors)]

    @property
    def bytes(self) -> int:
        """Size of all constants."""
        return sum(t.numel() * t.element_size() for t in self._tensors)

    def _head(self, index: int) -> str:
        tensor = self._tensors[index]
        size = tensor.numel() if tensor.dtype in C_TYPES else -(-tensor.numel() // 8)
        return f"const {C_TYPES.get(tensor.dtype, 'uint64_t')} {self.prefix}_table_{index}[{size}]"


def byte_type(tensor: torch.Tensor) -> str:
    return "uint8_t" if tensor.dtype == torch.uint8 else "int8_t"


def values(tensor: torch.Tensor) -> str:
    """An array's initializer. Bytes go as hexadecimal words, first byte lowest: a compiler takes many times
    longer over one number a byte."""
    if tensor.dtype in C_TYPES:
        numbers = [_number(int(v), tensor.dtype) for v in tensor.flatten().tolist()]
        return _lines(numbers, NUMBERS_A_LINE)
    data = tensor.numpy().tobytes()
    data += bytes(-len(data) % 8)
    words = [f"0x{int.from_bytes(data[i : i + 8], 'little'):016x}" for i in range(0, len(data), 8)]
    return _lines([f"{word}U" for word in words], WORDS_A_LINE)


def _number(value: int, dtype: torch.dtype) -> str:
    # -2^31 and -2^63 have no literal of their own in C.
    if dtype == torch.int64 and value == -(2**63):
        return "INT64_MIN"
    if value == -(2**31):
        return "INT32_MIN"
    return str(value)


def _lines(items: list[str], width: int) -> str:
    return ",\n".join("    " + ", ".join(items[i : i + width]) for i in range(0, len(items), width))


def lookup_source() -> str:
    """`dgqc_lookup.c`: the tables of `ir.lookup` and `ir.noise`, the same integers as in every backend."""
    tables = {"log2": LOG2, "root": RECIPROCAL_ROOT.to(torch.int32), "normal": QUANTILES}
    parts = [
        f"const {C_TYPES[table.dtype]} dgqc_{name}_table[{table.numel()}] = {{\n{values(table)}\n}};"
        for name, table in tables.items()
    ]
    return '#include "dgqc_fixed_point.h"\n\n' + "\n\n".join(parts) + "\n"
