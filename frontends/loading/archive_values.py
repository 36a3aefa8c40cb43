"""The values in a `torch.export` archive: names, sizes, types, arguments of ops."""

from __future__ import annotations

import keyword
import math
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_serializer, model_validator

from ...ir.errors import one_line
from ...ir.storage.schema import Record
from .size_expressions import checked_size

MOST_ELEMENTS = 2**32
"""Of one tensor; 16 GiB of float32."""


def checked_name(name: str) -> str:
    if not name.isascii() or not name.isidentifier() or keyword.iskeyword(name) or len(name) > 500:
        raise ValueError(f"{one_line(ascii(name), 100)} is no name")
    return name


def _path(name: str) -> str:
    if not re.fullmatch(r"\w+(\.\w+)*", name, re.ASCII) or len(name) > 500:
        raise ValueError(f"{one_line(ascii(name), 100)} is no tensor's name")
    return name


Name = Annotated[str, AfterValidator(checked_name)]
TensorPath = Annotated[str, AfterValidator(_path)]
Expression = Annotated[str, AfterValidator(checked_size)]
Int = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Real = float | Literal["Infinity", "-Infinity", "NaN"]
Mode = Literal["none", "tanh", "constant", "reflect", "replicate", "circular", "floor", "trunc"]
"""Strings that ATen ops of a UNet take."""
Equation = Annotated[str, Field(pattern=r"^[A-Za-z ,]{1,200}->[A-Za-z ]{0,50}$")]
"""Of einsum: letters of axes."""
ScalarType = Literal[1, 2, 3, 4, 5, 6, 7, 8, 12, 13]
"""Integers, floats of 16 to 64 bits, bool; no complex, quantized or 8-bit float."""


class OneOf(Record):
    """An object with exactly one key, which says of what kind its value is."""

    @model_validator(mode="after")
    def _single(self) -> OneOf:
        given = [name for name in self.model_fields_set if getattr(self, name) is not None]
        if len(given) != 1 or len(self.model_fields_set) != 1:
            raise ValueError("it should have exactly one key and value")
        return self


class DeviceRecord(Record):
    """Where a tensor lay; from here on that is the CPU."""

    type: Literal["cpu", "cuda", "mps", "xpu"]
    index: Annotated[int, Field(ge=0, le=1000)] | None = None

    @model_serializer
    def _on_the_cpu(self) -> dict[str, Any]:
        return {"type": "cpu", "index": None}


class HintRecord(OneOf):
    as_int: Int | None = None
    as_bool: bool | None = None
    as_float: float | None = None


class SymbolicRecord(Record):
    expr_str: Expression
    hint: HintRecord | None = None


class SymIntRecord(OneOf):
    as_expr: SymbolicRecord | None = None
    as_int: Int | None = None


class SymFloatRecord(OneOf):
    as_expr: SymbolicRecord | None = None
    as_float: float | None = None


class SymBoolRecord(OneOf):
    as_expr: SymbolicRecord | None = None
    as_bool: bool | None = None


class TensorMetaRecord(Record):
    dtype: ScalarType
    sizes: Annotated[list[SymIntRecord], Field(max_length=8)]
    requires_grad: bool
    device: DeviceRecord
    strides: Annotated[list[SymIntRecord], Field(max_length=8)]
    storage_offset: SymIntRecord
    layout: Literal[7]

    @model_validator(mode="after")
    def _not_too_large(self) -> TensorMetaRecord:
        sizes = [1 if one.as_int is None else one.as_int for one in self.sizes]
        if min(sizes, default=0) < 0 or math.prod(sizes) > MOST_ELEMENTS:
            raise ValueError(f"no tensor has the sizes {sizes}")
        return self


class NamedRecord(Record):
    name: Name


class NamedIntRecord(OneOf):
    as_name: Name | None = None
    as_int: Int | None = None


class NamedFloatRecord(OneOf):
    as_name: Name | None = None
    as_float: Real | None = None


class NamedBoolRecord(OneOf):
    as_name: Name | None = None
    as_bool: bool | None = None


class OptionalTensorRecord(OneOf):
    as_tensor: NamedRecord | None = None
    as_none: bool | None = None


class ArgumentRecord(OneOf):
    as_none: bool | None = None
    as_tensor: NamedRecord | None = None
    as_tensors: list[NamedRecord] | None = None
    as_int: Int | None = None
    as_ints: list[Int] | None = None
    as_float: Real | None = None
    as_floats: list[Real] | None = None
    as_string: Mode | Equation | None = None
    as_sym_int: NamedIntRecord | None = None
    as_sym_ints: list[NamedIntRecord] | None = None
    as_scalar_type: ScalarType | None = None
    as_memory_format: Literal[1, 2, 4] | None = None
    as_layout: Literal[7] | None = None
    as_device: DeviceRecord | None = None
    as_bool: bool | None = None
    as_bools: list[bool] | None = None
    as_sym_bool: NamedBoolRecord | None = None
    as_sym_float: NamedFloatRecord | None = None
    as_optional_tensor: OptionalTensorRecord | None = None
    as_optional_tensors: list[OptionalTensorRecord] | None = None


class ConstantRecord(OneOf):
    as_none: bool | None = None
    as_int: Int | None = None
    as_float: Real | None = None
    as_string: Mode | None = None
    as_bool: bool | None = None
