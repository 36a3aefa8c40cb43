"""What text encoders do with ids: `dgqc::embed` looks them up, `dgqc::end_token` finds where a text ends."""

from __future__ import annotations

import torch
from torch import fx

from ..nodes import arguments
from ..verify.checks import Problem, Problems, VerificationScope, type_name
from .captured import CapturedOp, register_captured
from .fake import fake
from .integer import IntegerOp, Moved, register_integer

IDS = 2**16
"""How many ids there can be: 16 bits hold one."""


@torch.library.custom_op("dgqc::embed", mutates_args=())
def embed(table: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """y[..., :] = table[id mod R], of the ids' low 16 bits: any id has a row.

    table: (R, C), R up to 2^16; int16 at the integer level. ids: whole numbers of any type, (B, N).
    Returns (B, N, C) of the table's dtype.
    """
    rows = unsigned(ids) % table.shape[0]
    return table[rows]


@fake(embed)
def _(table: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    return table.new_empty((*ids.shape, table.shape[1]))


@torch.library.custom_op("dgqc::end_token", mutates_args=())
def end_token(x: torch.Tensor, ids: torch.Tensor, end: int) -> torch.Tensor:
    """The row of the first token `end`, else row 0; without an `end` that of the first of the largest ids.

    x: (B, N, C), N up to 2^15. ids: whole numbers of any type, (B, N). end: -1 for none, below 2^16.
    Returns (B, C) of x's dtype.
    """
    found = unsigned(ids)
    ranks = found if end < 0 else (found == end).to(torch.int64)
    places = torch.arange(ids.shape[1] - 1, -1, -1)
    first = ids.shape[1] - 1 - (ranks * IDS + places).amax(dim=1) % IDS
    return x[torch.arange(len(x)), first]


@fake(end_token)
def _(x: torch.Tensor) -> torch.Tensor:
    return x.new_empty((x.shape[0], x.shape[2]))


def unsigned(ids: torch.Tensor) -> torch.Tensor:
    """The low 16 bits as a number from 0, int64."""
    return ids.to(torch.int64) % IDS


def signed(ids: torch.Tensor) -> torch.Tensor:
    """The int16 that holds the low 16 bits of ids."""
    return ((ids.to(torch.int64) + IDS // 2) % IDS - IDS // 2).to(torch.int16)


def _table(node: fx.Node, scope: VerificationScope) -> Problems:
    """A constant of rows that ids name."""
    table = arguments(node)["table"]
    if not (isinstance(table, fx.Node) and table.op == "get_attr"):
        yield Problem(f"table={table}", "a constant of the graph", "a table is computed at run time")
        return
    found = scope.tensor(table)
    if found.dim() != 2 or not 1 <= found.shape[0] <= IDS:
        yield Problem(f"table of {type_name(found)}", f"1 to {IDS} rows", "ids have 16 bits")


def _integer_table(node: fx.Node, scope: VerificationScope) -> Problems:
    """As `_table`, 16 bits wide."""
    yield from _table(node, scope)
    for name in ("table", "ids"):
        value = scope.values[arguments(node)[name]]
        if value.dtype is not torch.int16:
            yield Problem(f"{name} of {type_name(value)}", "int16", "it was not lowered")


def _one_id_a_row(node: fx.Node, scope: VerificationScope) -> Problems:
    """As many ids as rows, and no more than places have bits."""
    named = arguments(node)
    x, ids = scope.values[named["x"]], scope.values[named["ids"]]
    if x.dim() != 3 or ids.dim() != 2 or ids.shape[1] != x.shape[1] or x.shape[1] > IDS // 2:
        yield Problem(
            f"x of {type_name(x)}, ids of {type_name(ids)}",
            f"an id for each of at most {IDS // 2} rows",
            "they belong to different texts",
        )
    if not -1 <= named["end"] < IDS:
        yield Problem(f"end={named['end']}", f"-1 to {IDS - 1}", "ids have 16 bits")


register_integer(
    IntegerOp(torch.ops.dgqc.embed.default, rule=_integer_table, values=Moved("table")),
    IntegerOp(torch.ops.dgqc.end_token.default, rule=_one_id_a_row, values=Moved("x")),
)
# A table's rows keep the scale of the whole table, and a row of a value has that value's.
register_captured(
    CapturedOp(torch.ops.dgqc.embed.default, _table, made_by="aten.embedding's capture rule"),
    CapturedOp(torch.ops.dgqc.end_token.default, _one_id_a_row),
)
