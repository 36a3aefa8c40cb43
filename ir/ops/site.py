"""`dgqc::site`: names a value that will be quantized."""

from __future__ import annotations

import torch

from ..level import Level
from ..verify.argument_rules import step_row, value_type
from ..verify.checks import both
from ..verify.rules_float import has_plan
from .captured import CapturedOp, register_captured
from .fake import fake
from .integer import IntegerOp, Moved, register_integer
from .planned import PlannedOp, register_planned


@torch.library.custom_op("dgqc::site", mutates_args=())
def site(x: torch.Tensor, name: str) -> torch.Tensor:
    """The identity. The program's plan of the same name says how the value is quantized."""
    return x.clone()


@fake(site)
def _(x: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(x)


register_planned(PlannedOp(torch.ops.dgqc.site.default, has_plan, Level.PLANNED))


@torch.library.custom_op("dgqc::at_step", mutates_args=())
def at_step(table: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """The row of a per-step table: `table[step]`.

    table: (T, ...), any dtype; at the integer level int16. step: int64 scalar, 0 .. T-1.
    """
    return table[step].clone()


@fake(at_step)
def _(table: torch.Tensor) -> torch.Tensor:
    return table.new_empty(table.shape[1:])


register_integer(
    IntegerOp(
        torch.ops.dgqc.at_step.default,
        rule=both(step_row, value_type("table", torch.int16)),
        values=Moved("table"),
    )
)


register_captured(CapturedOp(torch.ops.dgqc.at_step.default, step_row, made_by="fold-time-embedding"))
