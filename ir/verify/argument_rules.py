"""Rules about one argument of an integer op: a table's rows, a group vector's range, a value's type.

Each function makes a rule from the argument's name in the op's schema.
"""

from __future__ import annotations

from collections.abc import Generator

import torch
from torch import fx

from ..nodes import argument, arguments
from .checks import Problem, Problems, VerificationRule, VerificationScope, both, type_name

Limits = tuple[int, int]
INT32 = (-(2**31), 2**31 - 1)
NONNEGATIVE = (0, 2**31 - 1)
SHIFTS = (1, 62)
CODE_BITS = (1, 8)
OTHER_SCHEDULE = "the table was made for another schedule, or a pass dropped a row"


def per_call(name: str, limits: Limits = INT32, dtype: torch.dtype = torch.int32) -> VerificationRule:
    """A constant with one number per call: (T,)."""

    def check(node: fx.Node, scope: VerificationScope) -> Problems:
        table = yield from _constant(node, scope, name, dtype)
        if table is None:
            return
        if table.shape != (scope.calls,):
            yield _shape(name, table, f"({scope.calls},), one number for each call", OTHER_SCHEDULE)
        yield from _within(name, table, limits)

    return check


def per_call_or_set(name: str, sets: str, limits: Limits, dtype: torch.dtype) -> VerificationRule:
    """A constant with one number per call, (T,), or one for each set of values as well, (T, S).

    sets: the argument that counts them.
    """

    def check(node: fx.Node, scope: VerificationScope) -> Problems:
        table = yield from _constant(node, scope, name, dtype)
        if table is None:
            return
        count = argument(node, sets)
        if table.shape not in ((scope.calls,), (scope.calls, count)):
            expected = f"({scope.calls},) or ({scope.calls}, {count}), a row for each call"
            yield _shape(name, table, expected, OTHER_SCHEDULE)
        yield from _within(name, table, limits)

    return check


def unless_none(name: str, rule: VerificationRule) -> VerificationRule:
    """What is demanded of an argument that may be None, where it is not."""

    def check(node: fx.Node, scope: VerificationScope) -> Problems:
        if argument(node, name) is not None:
            yield from rule(node, scope)

    return check


def per_group(name: str, limits: Limits = INT32) -> VerificationRule:
    """A constant with one number per call and group: int32 (T, G)."""

    def check(node: fx.Node, scope: VerificationScope) -> Problems:
        table = yield from _constant(node, scope, name, torch.int32)
        if table is None:
            return
        if table.dim() != 2 or table.shape[0] != scope.calls or table.shape[1] == 0:
            yield _shape(name, table, f"({scope.calls}, groups), one row for each call", OTHER_SCHEDULE)
        yield from _within(name, table, limits)

    return check


def per_piece(name: str, sizes: tuple[int, ...], limits: Limits) -> VerificationRule:
    """A constant with a table of these sizes per call: int32 (T, *sizes)."""

    def check(node: fx.Node, scope: VerificationScope) -> Problems:
        table = yield from _constant(node, scope, name, torch.int32)
        if table is None:
            return
        if table.shape != (scope.calls, *sizes):
            expected = ", ".join(map(str, (scope.calls, *sizes)))
            yield _shape(name, table, f"({expected}), one table for each call", OTHER_SCHEDULE)
        yield from _within(name, table, limits)

    return check


def per_channel(name: str, limits: Limits = INT32) -> VerificationRule:
    """A constant with one number per channel of the result, its last axis: int32 (N,)."""

    def check(node: fx.Node, scope: VerificationScope) -> Problems:
        table = yield from _constant(node, scope, name, torch.int32)
        if table is None:
            return
        channels = scope.values[node].shape[-1]
        if table.shape != (channels,):
            yield _shape(
                name, table, f"({channels},), one number for each channel", "it belongs to another layer"
            )
        yield from _within(name, table, limits)

    return check


def group_vector(name: str, table: str, operand: str | None, axis: str | int) -> VerificationRule:
    """A constant with the group of each index: uint8 (n,), below the number of columns of `table`.

    operand, axis: n is the operand's size along the axis, an argument's name or a number; "positions" stands
    for the result's output positions.
    """

    def check(node: fx.Node, scope: VerificationScope) -> Problems:
        group = yield from _constant(node, scope, name, torch.uint8)
        columns = yield from _constant(node, scope, table, torch.int32)
        if group is None or columns is None:
            return
        size = _axis_size(node, scope, operand, axis)
        if size is None:
            yield Problem(f"axis={argument(node, str(axis))}", "an axis of the operand", "axes were permuted")
        elif group.shape != (size,):
            yield _shape(
                name, group, f"({size},), one group for each index", "the layout changed under the groups"
            )
        groups = columns.shape[-1] if columns.dim() == 2 else 0
        if group.numel() and int(group.max()) >= groups:
            yield Problem(
                f"{name} with group {int(group.max())}",
                f"groups 0 to {groups - 1}, as many as {table} has columns",
                "groups were merged or renumbered in one place only",
            )

    return check


def plain_number(name: str, limits: Limits) -> VerificationRule:
    """A whole number written in the graph itself."""

    def check(node: fx.Node, scope: VerificationScope) -> Problems:
        value = argument(node, name)
        if not isinstance(value, int) or not limits[0] <= value <= limits[1]:
            yield Problem(
                f"{name}={value}", f"{limits[0]} to {limits[1]}", "a pass let an option through unchecked"
            )

    return check


def one_of(name: str, *allowed: int | str) -> VerificationRule:
    """One of a few values written in the graph itself."""

    def check(node: fx.Node, scope: VerificationScope) -> Problems:
        value = argument(node, name)
        if value not in allowed:
            choices = ", ".join(map(repr, allowed))
            yield Problem(f"{name}={value!r}", f"one of {choices}", "an option was passed on unchecked")

    return check


def grouped(codes: str, axis: str | int, prefix: str = "") -> VerificationRule:
    """A product's operand, codes or 16-bit values, with the tables that say what these stand for.

    codes: the operand's name. prefix: of the names of `zero`, `multiple` and `group`.
    """
    return both(
        value_type(codes, torch.uint8, torch.int16),
        per_group(f"{prefix}zero"),
        per_group(f"{prefix}multiple", (1, 2**31 - 1)),
        group_vector(f"{prefix}group", f"{prefix}zero", codes, axis),
    )


def value_type(name: str, *types: torch.dtype) -> VerificationRule:
    """A tensor of one of these types, constant or not."""

    def check(node: fx.Node, scope: VerificationScope) -> Problems:
        value = scope.values.get(argument(node, name))
        if not isinstance(value, torch.Tensor) or value.dtype not in types:
            wanted = " or ".join(str(item).removeprefix("torch.") for item in types)
            yield Problem(f"{name} of {type_name(value)}", wanted, "the value before it was not lowered")

    return check


def factor_and_shift() -> VerificationRule:
    """Constants `factor` and `shift`, a real multiplier at each call."""
    return both(per_call("factor", NONNEGATIVE), per_call("shift", SHIFTS))


def permutation(node: fx.Node, scope: VerificationScope) -> Problems:
    """`order` is a constant that names every index of the axis once."""
    named = arguments(node)
    shape, order = scope.values[named["x"]].shape, named["order"]
    if not (isinstance(order, fx.Node) and order.op == "get_attr"):
        yield Problem(f"order={order}", "a constant of the graph", "an order is computed at run time")
        return
    found = scope.tensor(order)
    if found.dtype is not torch.int32:
        yield Problem(f"order of {type_name(found)}", "int32", "the constant was stored in the wrong type")
    if not torch.equal(found.sort().values.to(torch.int64), torch.arange(shape[named["axis"]])):
        yield Problem(
            f"order of {type_name(found)} that isn't a permutation",
            f"every index from 0 to {shape[named['axis']] - 1} once",
            "channels were permuted for another layer",
        )


def same_type(node: fx.Node, scope: VerificationScope) -> Problems:
    """All parts of a concatenation have one type."""
    kinds = {scope.values[part].dtype for part in argument(node, "tensors")}
    if len(kinds) > 1:
        names = ", ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds))
        yield Problem(f"parts of types {names}", "one type", "a part was not rescaled to the result's type")


def contiguous_slice(node: fx.Node, scope: VerificationScope) -> Problems:
    """Every value of a range."""
    step = argument(node, "step")
    if step != 1:
        yield Problem(f"step={step}", "step=1", "slices with gaps have no integer form")


def step_row(node: fx.Node, scope: VerificationScope) -> Problems:
    """A table with a row per call, read at `step`."""
    table = scope.values[argument(node, "table")]
    if table.dim() == 0 or table.shape[0] != scope.calls:
        yield Problem(
            f"a table of {type_name(table)}",
            f"{scope.calls} rows, one for each call of the schedule",
            "the table was made for another schedule",
        )
    yield from reads_step(node, scope)


def reads_step(node: fx.Node, scope: VerificationScope) -> Problems:
    """The argument `step` is the placeholder `step`."""
    step = argument(node, "step")
    if not (isinstance(step, fx.Node) and step.op == "placeholder" and step.target == "step"):
        yield Problem(f"step={step}", "the placeholder step", "a table is read with something else")


def _constant(
    node: fx.Node, scope: VerificationScope, name: str, dtype: torch.dtype
) -> Generator[Problem, None, torch.Tensor | None]:
    source = argument(node, name)
    if not (isinstance(source, fx.Node) and source.op == "get_attr"):
        yield Problem(f"{name}={source}", "a constant of the graph", "a table is computed at run time")
        return None
    table = scope.tensor(source)
    if table.dtype is not dtype:
        wanted = str(dtype).removeprefix("torch.")
        yield Problem(f"{name} of {type_name(table)}", wanted, "the constant was stored in the wrong type")
        return None
    return table


def _axis_size(node: fx.Node, scope: VerificationScope, operand: str | None, axis: str | int) -> int | None:
    named = arguments(node)
    if operand is None:
        result = scope.values[node]
        return int(result.shape[1] * result.shape[2])
    shape = scope.values[named[operand]].shape
    position = named[axis] if isinstance(axis, str) else axis
    return int(shape[position]) if -len(shape) <= position < len(shape) else None


def _within(name: str, table: torch.Tensor, limits: Limits) -> Problems:
    if table.numel() == 0:
        return
    low, high = int(table.min()), int(table.max())
    if low < limits[0] or high > limits[1]:
        worst = low if low < limits[0] else high
        yield Problem(
            f"{name} with {worst}", f"{limits[0]} to {limits[1]}", "a scale is out of fixed point's reach"
        )


def _shape(name: str, table: torch.Tensor, expected: str, cause: str) -> Problem:
    return Problem(f"{name} of {type_name(table)}", expected, cause)
