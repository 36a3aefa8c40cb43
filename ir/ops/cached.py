"""`dgqc::cached`: a value that most calls take from an earlier one, and correct."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import fx

from ..arithmetic.fixed_point import round_shift, saturate16
from ..level import Level
from ..nodes import argument
from ..verify.argument_rules import one_of, per_call, value_type
from ..verify.checks import Problem, Problems, VerificationScope, both, type_name
from .fake import fake
from .integer import IntegerOp, any_value, register_integer
from .planned import PlannedOp, register_planned

CORRECTION_BITS = 15
"""Bits behind the point of factors and offsets at the integer level."""
LARGEST_CORRECTION = 2**30
"""Of factors and offsets: the sum before the shift stays below 2^47."""
OPTIONAL = ("older", "amends")
"""Tables that may be None, in the order of the op's arguments."""
LARGEST_AMENDS = 2**18
"""Eight times the difference of two answers."""


@torch.library.custom_op("dgqc::cached", mutates_args=())
def cached(
    x: torch.Tensor,
    step: torch.Tensor,
    source: torch.Tensor,
    factor: torch.Tensor,
    offset: torch.Tensor,
    axis: int,
    shallow: bool,
    older: torch.Tensor | None = None,
    amends: torch.Tensor | None = None,
) -> torch.Tensor:
    """y = x at a full call; y = factor[step] x + offset[step] along `axis` at a shallow one, whose x is what
    a full call left. With `older`, x is what two full calls left, the later one first, along its first axis:
    y = factor[step] x1 + older[step] x2 + offset[step].

    In a program's own graph every call is full; `ir.caching` makes the graph of shallow calls. `amends` is
    for whoever makes the calls: how far a full one's answer goes beyond a shallow one's in its place.

    x: int16, or float at the simulated level. source: int32 (T,), the full call that each call takes the
    value of, itself where it is full. factor, offset, older: (T, C); int32 in units of 2^-15 at the integer
    level, where y = saturate16((factor x1 + older x2 + offset + 2^14) >> 15). shallow: of all shallow calls'
    graph. amends: (T,), in the same unit; 0 at shallow calls, and where no full call is before.
    """
    if not shallow:
        return x.clone()
    sizes = [1] * x.dim()
    sizes[axis] = -1
    exact = x.dtype if x.is_floating_point() else torch.int64
    total = offset[step].reshape(sizes).to(exact)
    parts, tables = ((x,), (factor,)) if older is None else (x.chunk(2), (factor, older))
    for part, table in zip(parts, tables, strict=True):
        total = total + part.to(exact) * table[step].reshape(sizes).to(exact)
    return total if x.is_floating_point() else saturate16(round_shift(total, CORRECTION_BITS))


def arguments_of(tables: Mapping[str, fx.Node], axis: int) -> tuple[Any, ...]:
    """Those behind the value and the step, of a program's own graph. tables: their nodes by name."""
    given = max((place for place, name in enumerate(OPTIONAL, 1) if name in tables), default=0)
    needed = (tables[name] for name in ("source", "factor", "offset"))
    return (*needed, axis, False, *(tables.get(name) for name in OPTIONAL[:given]))


def amended(answer: torch.Tensor, shallow: torch.Tensor, amends: float) -> torch.Tensor:
    """A full call's answer, which goes beyond the shallow call's: answer + amends (answer - shallow).

    answer, shallow: int16, or float at the simulated level. amends: for int16 in units of 2^-15, at most
    2^18; the result is saturate16(answer + (amends (answer - shallow) + 2^14 >> 15)) then.
    """
    if answer.is_floating_point():
        return answer + amends * (answer - shallow)
    beyond = (answer.to(torch.int64) - shallow) * int(amends)
    return saturate16(answer + round_shift(beyond, CORRECTION_BITS))


@fake(cached)
def _(x: torch.Tensor, shallow: bool, older: torch.Tensor | None = None) -> torch.Tensor:
    return torch.empty_like(x[: len(x) // 2] if shallow and older is not None else x)


def _calls(node: fx.Node, scope: VerificationScope) -> Problems:
    """Each call takes the value of a full call before it, and no other full call stands between the two."""
    given = argument(node, "source")
    if not (isinstance(given, fx.Node) and given.op == "get_attr"):
        return  # Which `per_call` says.
    source = scope.tensor(given).tolist()
    last = -1
    for call, one in enumerate(source):
        if one not in (call, last):
            yield Problem(
                f"source {one} at call {call}", f"{call}, or {last} as before", "calls were dropped or moved"
            )
        last = one


def _channels(node: fx.Node, scope: VerificationScope) -> Problems:
    """A row of factors and offsets for each call, and of factors of older values, along the last axis."""
    x, axis = scope.values[argument(node, "x")], argument(node, "axis")
    if axis != x.dim() - 1:
        yield Problem(f"axis={axis}", f"{x.dim() - 1}, the last one", "axes were permuted")
        return
    for name in ("factor", "offset", "older"):
        given = argument(node, name)
        if name == "older" and given is None:
            continue
        if not (isinstance(given, fx.Node) and given.op == "get_attr"):
            yield Problem(f"{name}={given}", "a constant of the graph", "a table is computed at run time")
            continue
        table = scope.tensor(given)
        if table.dtype is not torch.int32 or table.shape != (scope.calls, x.shape[-1]):
            wanted = f"int32 ({scope.calls}, {x.shape[-1]})"
            yield Problem(f"{name} of {type_name(table)}", wanted, "it belongs to another value")
        elif int(table.to(torch.int64).abs().max()) > LARGEST_CORRECTION:
            yield Problem(f"{name} beyond 2^30", "at most 2^30", "lowering did not bound it")


def _amends(node: fx.Node, scope: VerificationScope) -> Problems:
    """A number for each call, 0 where there is nothing to go beyond."""
    given, source = argument(node, "amends"), argument(node, "source")
    if given is None or not (isinstance(source, fx.Node) and source.op == "get_attr"):
        return
    if not (isinstance(given, fx.Node) and given.op == "get_attr"):
        yield Problem(f"amends={given}", "a constant of the graph", "a table is computed at run time")
        return
    table, calls = scope.tensor(given), scope.tensor(source)
    if table.dtype is not torch.int32 or table.shape != calls.shape:
        yield Problem(f"amends of {type_name(table)}", f"int32 ({scope.calls},)", "calls were dropped")
        return
    if int(table.to(torch.int64).abs().max()) > LARGEST_AMENDS:
        yield Problem("amends beyond 2^18", "at most 2^18", "lowering did not bound it")
    own = calls == torch.arange(len(calls))
    own[0] = False
    if bool(table[~own].any()):
        yield Problem("amends of a shallow call, or of the first", "0", "calls were moved")


def _alone(node: fx.Node, scope: VerificationScope) -> Problems:
    """One value of a program is cached."""
    if sum(other.target is node.target for other in node.graph.nodes) > 1:
        yield Problem("several cached values", "one", "cache-schedule ran twice")


register_planned(PlannedOp(torch.ops.dgqc.cached.default, level=Level.SIMULATED))
register_integer(
    IntegerOp(
        torch.ops.dgqc.cached.default,
        rule=both(
            value_type("x", torch.int16),
            per_call("source", (0, 2**31 - 1)),
            one_of("shallow", False),
            _calls,
            _channels,
            _amends,
            _alone,
        ),
        values=any_value,
    )
)
