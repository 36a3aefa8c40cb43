"""`dgqc::site`: names a value that will be quantized."""

from __future__ import annotations

import torch

from ..verify.argument_rules import step_row, value_type
from ..verify.checks import both
from .fake import fake
from .record import IntegerOp, Moved, register


@torch.library.custom_op("dgqc::site", mutates_args=())
def site(x: torch.Tensor, name: str) -> torch.Tensor:
    """The identity. The program's plan of the same name says how the value is quantized."""
    return x.clone()


@fake(site)
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


@torch.library.custom_op("dgqc::at_step", mutates_args=())
def at_step(table: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """The row of a per-step table: `table[step]`.

    table: (T, ...), any dtype; at the integer level int16. step: int64 scalar, 0 .. T-1.
    """
    return table[step].clone()


@fake(at_step)
def _(table: torch.Tensor) -> torch.Tensor:
    return table.new_empty(table.shape[1:])


register(
    IntegerOp(
        torch.ops.dgqc.at_step.default,
        rule=both(step_row, value_type("table", torch.int16)),
        values=Moved("table"),
    )
)
