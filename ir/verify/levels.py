"""Which ops may stand at which level, with the rule for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..level import Level
from ..ops.record import integer_ops
from .checks import VerificationRule
from .rules_float import CAPTURED, PLANNED, SIMULATED


def rules_of(level: Level) -> Mapping[Any, VerificationRule]:
    """Op to rule. At the integer level these are the ops with a record, other packages' among them."""
    if level is Level.INTEGER:
        return {target: op.rule for target, op in integer_ops().items()}
    return {Level.CAPTURED: CAPTURED, Level.PLANNED: PLANNED, Level.SIMULATED: SIMULATED}[level]


def known_ops() -> frozenset[Any]:
    """Every op that may stand at any level."""
    return frozenset(target for level in Level for target in rules_of(level))
