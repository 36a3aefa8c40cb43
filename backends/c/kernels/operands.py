"""One side of a product as the runtime's `dgqc_operand`."""

from __future__ import annotations

from typing import Any

from torch import fx

from ....ir.arithmetic.operands import shape_of, value_of
from .context import EmissionContext
from .kernel_call import Struct, struct


def operand(
    context: EmissionContext,
    code: fx.Node,
    zero: Any,
    multiple: Any,
    group: Any,
    axis: int,
    along_depth: bool,
) -> Struct:
    """axis: along which groups lie; along_depth: whether that is the summed one."""
    return struct(
        zero=context.table(zero),
        multiple=context.table(multiple),
        group=context.group(group),
        groups=value_of(zero).shape[1],
        count=shape_of(code)[axis],
        along_depth=along_depth,
        code_bits=8 * code.meta["val"].element_size(),
    )
