"""Large constants as IREE parameters: they leave the module for a file of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

import torch
from torch_mlir import ir

SCOPE = "model"
"""Scope of the parameters, as in `--parameters=model=model.safetensors`."""
RESOURCE = re.compile(r"dense_resource<(\w+)>")


class Store(StrEnum):
    """Where constants lie that are too large to be written out."""

    RESOURCES = "resources"
    """As `dense_resource` at the end of the module."""
    PARAMETERS = "parameters"
    """In a file of their own."""


def externalize(module: ir.Module, resources: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Replaces resources by parameters and gives those that the module reads, by key.

    The ops that read them are of IREE's `util` dialect, which other tools take as unregistered.
    """
    module.context.allow_unregistered_dialects = True
    function = module.body.operations[0]
    found: dict[str, torch.Tensor] = {}
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


def _declare(key: str, kind: ir.Type) -> None:
    attributes = {
        "sym_name": ir.StringAttr.get(key),
        "sym_visibility": ir.StringAttr.get("private"),
        "type": ir.TypeAttr.get(kind),
        "initial_value": ir.Attribute.parse(f'#flow.parameter.named<"{SCOPE}"::"{key}"> : {kind}'),
    }
    ir.Operation.create("util.global", attributes=attributes)
