"""Values of a program as JSON, and back: a node's arguments, plans, shapes. Nothing that could run code.

Numbers, text, None and lists stand for themselves; everything else is an object with one telling key:
`{"node": name}`, `{"tuple": [...]}`, `{"number": "inf"}`, `{"dtype": "int16"}`, `{"tensor": key}`,
`{"enum": [type, value]}`, `{"plan": [type, fields]}`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

import torch
from pydantic import ConfigDict, create_model
from torch import fx

from ..denoising import DenoisingLoop, Labels
from ..picture import FixedInput, PictureFacts
from ..plans import CallQuantizer, Coding, CodingLoss, Dimension, Granularity, Plan, Ranges, Role, Variation
from ..sampler import StepFactors
from ..tokenizer import Tokenizer
from ..unicode import Characters
from ..views import View
from .schema import Record, checked

_Stored = TypeVar("_Stored")
KEEP = Callable[[str, torch.Tensor], None]
"""keep(key, tensor) puts a tensor beside the JSON."""
_OF_PICTURES = (DenoisingLoop, Labels, StepFactors, Tokenizer, Characters, PictureFacts, FixedInput)
_FROZEN = (Ranges, Variation, CallQuantizer, CodingLoss, View, *_OF_PICTURES)
PLAN_TYPES: dict[str, type[Any]] = {kind.__name__: kind for kind in (*get_args(Plan), *_FROZEN)}
"""Frozen dataclasses that can be stored, by the name they are stored under; `storable` adds a backend's."""
OLD_NAMES: Mapping[str, str] = {
    "Glue": "Activation16",
    "ObservedGlue": "ObservedActivation16",
    "QuantizedGlue": "QuantizedActivation16",
}
"""Plans that earlier releases saved under another name, and what they are called today."""
ENUM_TYPES: Mapping[str, type[StrEnum]] = {
    kind.__name__: kind for kind in (Coding, Dimension, Granularity, Role)
}
DTYPES: Mapping[str, torch.dtype] = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.bool,
        torch.uint8,
        torch.int8,
        torch.int16,
        torch.int32,
        torch.int64,
        torch.float16,
        torch.bfloat16,
        torch.float32,
        torch.float64,
    )
}


def storable(backend: str) -> Callable[[type[_Stored]], type[_Stored]]:
    """Class decorator for a frozen dataclass of a backend that stands in a program's layout, so that it can
    be saved; it stands above `@dataclass(frozen=True)`. backend: its name, which tells layouts apart.

    Such a program loads only where the backend has been imported. Raises TypeError for any other class, and
    for a second class of this name.
    """

    def register(kind: type[_Stored]) -> type[_Stored]:
        name = f"{backend}.{kind.__name__}"
        known = PLAN_TYPES.setdefault(name, kind)
        if (known.__module__, known.__qualname__) != (kind.__module__, kind.__qualname__):
            raise TypeError(f"{kind} and {known} would both be stored as {name}")
        if not is_dataclass(kind) or not getattr(kind, "__dataclass_params__").frozen:  # noqa: B009
            raise TypeError(f"{kind} must be a frozen dataclass to be stored")
        PLAN_TYPES[name] = kind
        return kind

    return register


def encode(value: Any, path: str = "", keep: KEEP | None = None) -> Any:
    """A value as JSON. Tensors go to `keep` under a key made of `path` and field names.

    Raises TypeError for what has no form.
    """
    if value is None or isinstance(value, bool | int) or type(value) is str:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"number": repr(value)}
    if isinstance(value, fx.Node):
        return {"node": value.name}
    if isinstance(value, list):
        return [encode(item, path, keep) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(item, path, keep) for item in value]}
    if isinstance(value, torch.dtype):
        return {"dtype": str(value).removeprefix("torch.")}
    if isinstance(value, StrEnum) and type(value).__name__ in ENUM_TYPES:
        return {"enum": [type(value).__name__, value.value]}
    if isinstance(value, torch.Tensor) and keep is not None:
        keep(path, value)
        return {"tensor": path}
    stored = next((name for name, kind in PLAN_TYPES.items() if kind is type(value)), None)
    if stored is not None:
        parts = {item.name: getattr(value, item.name) for item in fields(value)}
        encoded = {name: encode(part, f"{path}/{name}", keep) for name, part in parts.items()}
        return {"plan": [stored, encoded]}
    raise TypeError(f"a {type(value).__name__} can't be saved")


def decode(
    value: Any, nodes: Mapping[str, fx.Node] | None = None, tensors: Mapping[str, torch.Tensor] | None = None
) -> Any:
    """What `encode` encoded. nodes, tensors: what names and keys stand for.

    Raises ValueError, KeyError or TypeError for anything else.
    """
    if isinstance(value, list):
        return [decode(item, nodes, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "node":
        return (nodes or {})[content]
    if kind == "tuple":
        return tuple(decode(item, nodes, tensors) for item in content)
    if kind == "number":
        return {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}[content]
    if kind == "dtype":
        return DTYPES[content]
    if kind == "tensor":
        return (tensors or {})[content]
    if kind == "enum":
        return ENUM_TYPES[content[0]](content[1])
    if kind == "plan":
        return _plan(content, tensors)
    raise ValueError(f"{kind!r} is no kind of value")


def _plan(content: Any, tensors: Mapping[str, torch.Tensor] | None) -> Any:
    name = OLD_NAMES.get(content[0], content[0])
    kind = PLAN_TYPES.get(name)
    if kind is None:
        backend, dot, _ = str(name).rpartition(".")
        missing = f"the backend {backend!r}, which isn't installed here" if dot else "an unknown dgqc"
        raise ValueError(f"it holds a {name} of {missing}")
    parts = {name: decode(part, None, tensors) for name, part in content[1].items()}
    checked(_fields_record(name), parts, f"its {name}", "save the program again with this dgqc")
    return kind(**parts)


class _FieldsRecord(Record):
    model_config = ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=True)


@cache
def _fields_record(name: str) -> type[Record]:
    """The types of a stored dataclass's fields, as a record of them; those without a default are needed."""
    kind = PLAN_TYPES[name]
    types = get_type_hints(kind)
    wanted: dict[str, Any] = {
        one.name: (types[one.name], ... if one.default is MISSING else one.default) for one in fields(kind)
    }
    made: type[Record] = create_model(kind.__name__, __base__=_FieldsRecord, **wanted)
    return made


def encode_shape(value: Any) -> Any:
    """A tensor's type and shape, or those of a tuple's parts; None where neither is known."""
    if isinstance(value, torch.Tensor):
        return {
            "dtype": str(value.dtype).removeprefix("torch."),
            "shape": [int(size) for size in value.shape],
        }
    if isinstance(value, list | tuple) and all(isinstance(item, torch.Tensor) for item in value):
        return [encode_shape(item) for item in value]
    return None


def decode_shape(value: Any) -> Any:
    """A tensor on the meta device, a tuple of them, or None."""
    if isinstance(value, list):
        return tuple(decode_shape(item) for item in value)
    if value is None:
        return None
    return torch.empty(tuple(value["shape"]), dtype=DTYPES[value["dtype"]], device="meta")
