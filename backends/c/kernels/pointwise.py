"""Kernels of ops on one 16-bit tensor, number by number."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx

from ....ir.arithmetic.operands import shape_of, value_of
from .context import EmissionContext
from .kernel import Kernel, by_rows
from .kernel_call import KernelCall, struct
from .runtime_header import defined
from .wide import is_wide

dgqc = torch.ops.dgqc


def _quantize(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    shape = shape_of(a["x"])
    axis = a["axis"] % len(shape)
    by_column = axis == len(shape) - 1
    parameters = struct(
        columns=shape[-1],
        count=shape[axis],
        inner=0 if by_column else math.prod(shape[axis + 1 : -1]),
        **context.named(a, "multiplier", "offset", "shift"),
        group=context.group(a["group"]),
        groups=value_of(a["multiplier"]).shape[1],
        bits=a["bits"],
    )
    return context.by_rows("quantize", node, parameters, (context.rows(a["x"]),))


def _tables_of_quantize(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    """Three tables with a value for each index of the grouped axis; several times for short rows."""
    shape = shape_of(node)
    axis = a["axis"] % len(shape)
    repeats = max(1, defined("DGQC_SHORT_ROW") // shape[-1]) if axis == len(shape) - 1 else 1
    return (4 * shape[axis] * repeats,) * 3


def _rescale(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    widths = {"x_wide": int(is_wide(a["x"])), "y_wide": int(is_wide(node))}
    wide = any(widths.values())
    tables = context.named(a, "factor", "shift")
    parameters = struct(columns=shape_of(node)[-1], **tables, **(widths if wide else {}))
    kernel = "rescale_wide" if wide else "rescale"
    return context.by_rows(kernel, node, parameters, (context.rows(a["x"]),))


def _activation(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    tables = context.named(a, "table", "index_factor", "index_shift", "factor", "shift")
    own = {name: None if a[name] is None else context.table(a[name]) for name in ("exponent", "column")}
    kernel = _kernel_of_activation(a)
    parameters = struct(columns=shape_of(node)[-1], **tables, **({} if kernel == "activation" else own))
    kind = "" if kernel == "activation" else "activation_columns"
    return context.by_rows(kernel, node, parameters, (context.rows(a["x"]),), kind=kind)


def _kernel_of_activation(a: dict[str, Any]) -> str:
    if is_wide(a["x"]):
        return "activation_wide"
    alike = a["exponent"] is None and a["column"] is None
    return "activation" if alike else "activation_columns"


def _places_of_columns(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    return () if _kernel_of_activation(a) == "activation" else (4 * shape_of(node)[-1],) * 3


def _piecewise(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    parameters = struct(columns=shape_of(node)[-1], **context.named(a, "table", "low", "high"))
    return context.by_rows("piecewise", node, parameters, (context.rows(a["x"]),))


KERNELS = (
    Kernel(dgqc.quantize.default, _quantize, by_rows("x"), _tables_of_quantize),
    Kernel(dgqc.rescale.default, _rescale, by_rows("x")),
    Kernel(dgqc.activation.default, _activation, by_rows("x"), _places_of_columns),
    Kernel(dgqc.piecewise.default, _piecewise, by_rows("x")),
)
