"""Large constants as IREE parameters: they leave the module for a file of their own."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import torch
from torch_mlir import ir

from ....ir.tensors import equal_tensors

SCOPE = "model"
"""Scope of the parameters, as in `--parameters=model=model.safetensors`."""
RESOURCE = re.compile(r"dense_resource<(\w+)>")
NAMES = {torch.int8: "I8", torch.uint8: "U8", torch.int16: "I16", torch.int32: "I32", torch.int64: "I64"}
"""Types in a safetensors file."""


class ConstantStore(StrEnum):
    """Where constants lie that are too large to be written out."""

    RESOURCES = "resources"
    """As `dense_resource` at the end of the module."""
    PARAMETERS = "parameters"
    """In a file of their own."""


@dataclass(frozen=True)
class Stored:
    """A constant outside the text. read: makes it, so that it takes memory only while it is written."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[], torch.Tensor]

    @property
    def count(self) -> int:
        return math.prod(self.shape)


def write_parameters(parameters: Mapping[str, Stored], path: Path) -> None:
    """As a safetensors file, one constant in memory at a time."""
    # The widest first, so that all lie at multiples of their width.
    ordered = dict(sorted(parameters.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])))
    header, end = {}, 0
    for key, stored in ordered.items():
        begin, end = end, end + stored.count * stored.dtype.itemsize
        header[key] = {"dtype": NAMES[stored.dtype], "shape": stored.shape, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for stored in ordered.values():
            file.write(stored.read().contiguous().numpy().data)


def externalize(module: ir.Module, resources: Mapping[str, Stored]) -> dict[str, Stored]:
    """Replaces resources by parameters and gives those that the module reads, by key.

    The ops that read them are of IREE's `util` dialect, which other tools take as unregistered.
    """
    module.context.allow_unregistered_dialects = True
    function = module.body.operations[0]
    found: dict[str, Stored] = {}
    for op in list(function.regions[0].blocks[0].operations):
        if op.operation.name != "arith.constant":
            continue
        match = RESOURCE.match(str(op.operation.attributes["value"]))
        if match:
            key, kind = match[1], op.operation.results[0].type
            found[key] = resources[key]
            with ir.InsertionPoint(function):
                _declare(key, kind)
            with ir.InsertionPoint(op), op.operation.location:
                load = {"global": ir.FlatSymbolRefAttr.get(key), "is_immutable": ir.UnitAttr.get()}
                value = ir.Operation.create("util.global.load", results=[kind], attributes=load).result
            op.operation.results[0].replace_all_uses_with(value)
            op.operation.erase()
    return found


def same_parameters(own: Mapping[str, Stored], others: Mapping[str, Stored]) -> frozenset[str]:
    """The keys under which two programs have the same constants."""
    both = own.keys() & others.keys()
    return frozenset(key for key in both if equal_tensors(own[key].read(), others[key].read()))


def rename(module: ir.Module, name: str, shared: Container[str] = frozenset()) -> None:
    """Gives a module a name, and its parameters this scope, so that several can be loaded together.

    shared: keys of parameters that stay in the scope of the program that they are shared with."""
    with module.context, ir.Location.unknown():
        module.operation.attributes["sym_name"] = ir.StringAttr.get(name)
        for op in module.body.operations:
            if op.operation.name != "util.global":
                continue
            if ir.StringAttr(op.operation.attributes["sym_name"]).value not in shared:
                said = str(op.operation.attributes["initial_value"])
                own = said.replace(f'<"{SCOPE}"::', f'<"{name}"::', 1)
                op.operation.attributes["initial_value"] = ir.Attribute.parse(own)


def _declare(key: str, kind: ir.Type) -> None:
    attributes = {
        "sym_name": ir.StringAttr.get(key),
        "sym_visibility": ir.StringAttr.get("private"),
        "type": ir.TypeAttr.get(kind),
        "initial_value": ir.Attribute.parse(f'#flow.parameter.named<"{SCOPE}"::"{key}"> : {kind}'),
    }
    ir.Operation.create("util.global", attributes=attributes)
