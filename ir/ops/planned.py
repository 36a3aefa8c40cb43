"""Ops that passes put into planned and simulated graphs beside the captured ones: sites, fake quantizers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..level import Level
from ..verify.checks import VerificationRule, anything


@dataclass(frozen=True)
class PlannedOp:
    """What is to be known of an op of planned or simulated graphs.

    target: the op, as nodes name it.
    rule: what the verifier demands of a node, apart from floating-point results where it sees the sample.
    level: the only level where it stands, `Level.SIMULATED`, or the first of two, `Level.PLANNED`.
    """

    target: Any
    rule: VerificationRule = anything
    level: Level = Level.SIMULATED


_records: dict[Any, PlannedOp] = {}


def register_planned(*records: PlannedOp) -> None:
    """Makes ops ones of planned or simulated graphs. Raises ValueError where an op has a record already."""
    for record in records:
        if record.target in _records:
            raise ValueError(f"{record.target} has a record already; an op has one")
        _records[record.target] = record


def planned_ops(level: Level) -> Mapping[Any, PlannedOp]:
    """The records of a level by their ops, in the order of registration."""
    return {op: one for op, one in _records.items() if level in (one.level, Level.SIMULATED)}
