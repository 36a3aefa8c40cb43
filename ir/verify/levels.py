"""Which ops may stand at which level, with the rule for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..level import Level
from ..ops.captured import captured_ops
from ..ops.integer import integer_ops
from ..ops.planned import planned_ops
from .checks import VerificationRule, both
from .rules_float import conditioning, floating


def rules_of(level: Level) -> Mapping[Any, VerificationRule]:
    """Op to rule: the ops with a record of this level, other packages' among them."""
    if level is Level.INTEGER:
        return {target: op.rule for target, op in integer_ops().items()}
    rules = {
        op: both(conditioning if one.conditioning else floating, one.rule)
        for op, one in captured_ops().items()
    }
    if level is not Level.CAPTURED:
        rules.update((op, both(floating, one.rule)) for op, one in planned_ops(level).items())
    return rules


def known_ops() -> frozenset[Any]:
    """Every op that may stand at any level."""
    return frozenset(target for level in Level for target in rules_of(level))
