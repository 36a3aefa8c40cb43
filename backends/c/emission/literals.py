"""Tensors as C initializers, in a form that compiles fast."""

from __future__ import annotations

import torch

from ....ir.arithmetic.lookup import LOG2, RECIPROCAL_ROOT
from ....ir.arithmetic.noise import QUANTILES

C_TYPES = {torch.int16: "int16_t", torch.int32: "int32_t", torch.int64: "int64_t"}
WORDS_A_LINE, NUMBERS_A_LINE = 6, 12


def values(tensor: torch.Tensor) -> str:
    """An array's initializer. Bytes go as hexadecimal words, first byte lowest: a compiler takes many times
    longer over one number a byte."""
    if tensor.dtype in C_TYPES:
        numbers = [_number(int(v), tensor.dtype) for v in tensor.flatten().tolist()]
        return _lines(numbers, NUMBERS_A_LINE)
    return words(tensor.numpy().tobytes())


def words(data: bytes) -> str:
    """Bytes as 64-bit words, the last one filled up with zeros."""
    data += bytes(-len(data) % 8)
    found = (int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8))
    return _lines([f"0x{word:016x}U" for word in found], WORDS_A_LINE)


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
    """`dgqc_lookup.c`: the tables of `ir.arithmetic`, the same integers as in every backend."""
    tables = {"log2": LOG2, "root": RECIPROCAL_ROOT.to(torch.int32), "normal": QUANTILES}
    parts = [
        f"const {C_TYPES[table.dtype]} dgqc_{name}_table[{table.numel()}] = {{\n{values(table)}\n}};"
        for name, table in tables.items()
    ]
    return '#include "dgqc_fixed_point.h"\n\n' + "\n\n".join(parts) + "\n"
