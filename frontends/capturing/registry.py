"""Which function rewrites which exported op: each family of capture rules registers where it is defined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .values import CapturedValue

RewritingFunction = Callable[..., CapturedValue]


@dataclass(frozen=True)
class CaptureRule:
    """How an exported op is rewritten into ops of the captured level.

    rewrite: a function of the Rewriter and of the op's own arguments, in which exported nodes have become
        values (an fx.Node, a Constant, a number, a list of them). It returns the value of the op's result.
    absorbs_padding: whether it takes a Padded value as well.
    broadcasts: whether values that are repeated may stay as they are, since it broadcasts.
    takes_complex: whether it takes a Complex value as well.
    """

    rewrite: RewritingFunction
    absorbs_padding: bool = False
    broadcasts: bool = False
    takes_complex: bool = False


_rules: dict[object, CaptureRule] = {}


def capture_rule(
    *targets: object,
    absorbs_padding: bool = False,
    broadcasts: bool = False,
    takes_complex: bool = False,
) -> Callable[[RewritingFunction], RewritingFunction]:
    """Registers a function as the `CaptureRule` of exported ops.

    Raises ValueError where an op has one already.
    """

    def register(rewrite: RewritingFunction) -> RewritingFunction:
        for target in targets:
            if target in _rules:
                raise ValueError(f"{target} is captured by {_rules[target].rewrite.__qualname__} already")
            _rules[target] = CaptureRule(rewrite, absorbs_padding, broadcasts, takes_complex)
        return rewrite

    return register


def capture_rule_of(target: object) -> CaptureRule | None:
    """How an exported op is rewritten; None where it can't be captured."""
    return _rules.get(target)


def captured_targets() -> tuple[object, ...]:
    """All exported ops that have a capture rule, in the order of registration."""
    return tuple(_rules)
