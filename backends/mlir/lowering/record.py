"""What becomes of one op in MLIR, written beside the function that does it: `@lowers(op, family)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch_mlir import ir

from ....ir import ops  # noqa: F401  (registers the dgqc ops, which lowerings name)
from ....ir.errors import DgqcError
from .module_builder import ModuleBuilder, OpCall
from .stages import Family

LoweringRule = Callable[[ModuleBuilder, OpCall], ir.Value | tuple[ir.Value, ...]]
"""From an op's arguments to its results, tensors of signless integers."""


@dataclass(frozen=True)
class OpLowering:
    """op: as it stands in the integer graph. family: whose pass runs the rule."""

    op: torch._ops.OpOverload
    family: Family
    rule: LoweringRule


_registered: dict[str, OpLowering] = {}


def lowers(op: torch._ops.OpOverload, family: Family) -> Callable[[LoweringRule], LoweringRule]:
    """Decorator of the rule of an op; of this package's, or of any other that brings an op.

    Raises DgqcError where the op has another rule already.
    """

    def register(rule: LoweringRule) -> LoweringRule:
        name = operator_name(op)
        present = _registered.get(name)
        if present is not None and _path(present.rule) != _path(rule):
            raise DgqcError(
                f"The op {op} is lowered to MLIR by {_path(present.rule)} and by {_path(rule)}; keep one."
            )
        _registered[name] = OpLowering(op, family, rule)
        return rule

    return register


def lowering_of(name: str, family: Family) -> OpLowering | None:
    """The record of an op that a family lowers. name: as `operator_name` gives it."""
    found = _registered.get(name)
    return found if found is not None and found.family is family else None


def lowered_ops() -> tuple[torch._ops.OpOverload, ...]:
    """All ops that have a rule."""
    return tuple(one.op for one in _registered.values())


def operator_name(op: torch._ops.OpOverload) -> str:
    """What torch-mlir calls an op that it has no own for: `torch.dgqc.linear`."""
    overload = "" if op._overloadname == "default" else f".{op._overloadname}"
    return f"torch.{op.namespace}.{op.overloadpacket.__name__}{overload}"


def _path(rule: LoweringRule) -> str:
    return f"{rule.__module__}.{rule.__qualname__}"
