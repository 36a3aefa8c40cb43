"""How ids are captured: they look rows up in tables, and say where a text ends."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from ...ir.ops.tokens import IDS
from .graph_builder import aten
from .registry import capture_rule
from .rewriter import Rewriter
from .values import CapturedValue, Constant

dgqc = torch.ops.dgqc


@capture_rule(aten.embedding.default)
def embedding(rewriter: Rewriter, table: Constant, index: fx.Node, *arguments: Any) -> CapturedValue:
    """A table's rows: by a text's tokens an op of its own, by a condition in front of the program."""
    return looked_up(rewriter, table, index)


@capture_rule(dgqc.end_token.default)
def end_token(rewriter: Rewriter, value: fx.Node, ids: fx.Node, end: int) -> CapturedValue:
    """As it is: our own wrapper of a text encoder asks for it."""
    return rewriter.emit(dgqc.end_token.default, value, ids, end)


def looked_up(rewriter: Rewriter, table: CapturedValue, index: CapturedValue) -> CapturedValue:
    """Rows of a constant table. Raises UnsupportedOperation where values of the sample name them."""
    if not isinstance(table, Constant) or not isinstance(index, fx.Node):
        raise rewriter.unsupported(detail="it looks up values that depend on the sample")
    if not rewriter.builder.depends_on_sample(index):
        return rewriter.emit(aten.embedding.default, table, index)
    if index.op != "placeholder" or index.meta["val"].is_floating_point():
        raise rewriter.unsupported(detail="it looks up values that depend on the sample")
    if table.tensor.shape[0] > IDS:
        raise rewriter.unsupported(detail=f"its table has {table.tensor.shape[0]} rows, more than {IDS}")
    return rewriter.emit(dgqc.embed.default, table, index)
