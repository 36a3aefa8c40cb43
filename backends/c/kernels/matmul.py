"""The kernel of products of two activations."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx

from ....ir.arithmetic.operands import shape_of
from .context import EmissionContext
from .kernel import Kernel, by_rows
from .kernel_call import KernelCall, Struct, struct, unsupported
from .matmul_sums import matmul_sums
from .operands import operand
from .runtime_header import defined

PANEL, ROWS = defined("DGQC_PANEL"), defined("DGQC_ROWS")


def _call(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    left, right = shape_of(a["a"]), shape_of(a["b"])
    batches, right_batches = batch_counts(node, left, right)
    sums = matmul_sums(node)
    parameters = struct(
        batches=batches,
        right_batches=right_batches,
        rows=left[-2],
        depth=left[-1],
        columns=right[-2],
        left=_side(context, a, "a"),
        right=_side(context, a, "b"),
        **context.named(a, "factor", "shift"),
        width=a["width"],
        arithmetic=struct(narrow=sums.narrow, block=sums.block),
        by_codes=sums.codes,
    )
    whole = (context.places.at(a["b"]),)
    return context.by_rows("matmul", node, parameters, (context.rows(a["a"]),), whole=whole)


def _side(context: EmissionContext, a: dict[str, Any], name: str) -> Struct:
    """One side of a matmul: `a` or `b`."""
    zero, multiple, group, axis = (a[f"{name}_{what}"] for what in ("zero", "multiple", "group", "axis"))
    along_depth = axis % len(shape_of(a[name])) == len(shape_of(a[name])) - 1
    return operand(context, a[name], zero, multiple, group, axis, along_depth)


def batch_counts(node: fx.Node, left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, int]:
    """Products, and different right sides among them: as many, or one for all."""
    batches, shared = math.prod(left[:-2]), math.prod(right[:-2])
    if left[:-2] != right[:-2] and shared != 1:
        raise unsupported(
            node, f"batch axes {left[:-2]} and {right[:-2]}", "equal ones, or none on the right"
        )
    return batches, shared


def _shared(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    """Tables of both sides, then the right side's values."""
    left, right = shape_of(a["a"]), shape_of(a["b"])
    tables = (4 * left[a["a_axis"]],) * 2 + (4 * right[a["b_axis"]],) * 2
    batches, columns, depth = math.prod(right[:-2]), right[-2], right[-1]
    sums = matmul_sums(node)
    if sums.codes:
        # Each column's codes, and two numbers of 32 bits.
        values = -(-columns // PANEL) * PANEL * (depth + 8)
    elif sums.narrow:
        values = -(-columns // PANEL) * PANEL * (depth + depth % 2) * 2
    else:
        values = columns * depth * 4
    return (*tables, batches * values)


def _scratch(node: fx.Node, a: dict[str, Any], rows: int) -> tuple[int, ...]:
    """Rows of the left side's values."""
    depth, sums = shape_of(a["a"])[-1], matmul_sums(node)
    if sums.codes:
        return (1,)  # a kernel takes scratch memory always or never
    return (min(rows, ROWS) * (2 * (depth + depth % 2) if sums.narrow else 4 * depth),)


KERNELS = (Kernel(torch.ops.dgqc.matmul.default, _call, by_rows("a"), _shared, _scratch),)
