"""Products of activations, softmax and attend as calls."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import fx

from ....ir.arithmetic.operands import shape_of, value_of
from .context import EmissionContext
from .kernel_call import ROWS, STEP, CallsOf, KernelCall, Reduction, Struct, struct, unsupported
from .scratch_attention import attend_bytes, groups_of_keys, matmul_sums


def _operand(
    context: EmissionContext,
    code: fx.Node,
    zero: Any,
    multiple: Any,
    group: Any,
    axis: int,
    along_depth: bool,
) -> Struct:
    """A `dgqc_operand`. axis: along which groups lie; along_depth: whether that is the summed one."""
    return struct(
        zero=context.table(zero),
        multiple=context.table(multiple),
        group=context.group(group),
        groups=value_of(zero).shape[1],
        count=shape_of(code)[axis],
        along_depth=along_depth,
        code_bits=8 * code.meta["val"].element_size(),
    )


def _side(context: EmissionContext, a: dict[str, Any], name: str) -> Struct:
    """One side of a matmul: `a` or `b`."""
    zero, multiple, group, axis = (a[f"{name}_{what}"] for what in ("zero", "multiple", "group", "axis"))
    along_depth = axis % len(shape_of(a[name])) == len(shape_of(a[name])) - 1
    return _operand(context, a[name], zero, multiple, group, axis, along_depth)


def _batches(node: fx.Node, left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, int]:
    """Products, and different right sides among them: as many, or one for all."""
    batches, shared = math.prod(left[:-2]), math.prod(right[:-2])
    if left[:-2] != right[:-2] and shared != 1:
        raise unsupported(
            node, f"batch axes {left[:-2]} and {right[:-2]}", "equal ones, or none on the right"
        )
    return batches, shared


def matmul(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    """`dgqc::matmul`."""
    left, right = shape_of(a["a"]), shape_of(a["b"])
    batches, shared = _batches(node, left, right)
    sums = matmul_sums(node)
    parameters = struct(
        batches=batches,
        right_batches=shared,
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
    return context.by_rows(
        "matmul", node, parameters, (context.rows(a["a"]),), whole=(context.places.at(a["b"]),)
    )


def softmax(kernel: str) -> CallsOf:
    """The rule of one of the three `dgqc::softmax_*`."""

    def call(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
        shape, logits = shape_of(a["logits"]), context.rows(a["logits"])
        static = kernel == "softmax_static"
        tables = ("inverse", "shift", "mantissa", "exponent")
        parameters = struct(
            rows=math.prod(shape[:-1]),
            keys=shape[-1],
            start=a["start"],
            bits=a.get("bits", 0),
            limit=a.get("limit", 0),
            **(context.named(a, *tables) if static else dict.fromkeys(tables)),
        )
        shared = context.places.shared(node)
        made = context.by_rows(kernel, node, parameters, (logits,), kind="softmax")
        if shared is None:
            return replace(made, arguments=(*made.arguments, None))
        reduction = Reduction("softmax", (STEP, ROWS, logits, shared), (STEP, shared))
        return replace(made, begin=None, reduction=reduction)

    return call


def attend(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    """`dgqc::attend`."""
    codes, values, how = shape_of(a["codes"]), shape_of(a["values"]), attend_bytes(node)
    batches, shared = _batches(node, codes, values)
    by_key = groups_of_keys(a)
    parameters = struct(
        batches=batches,
        value_batches=shared,
        rows=codes[-2],
        keys=codes[-1],
        columns=values[-1],
        start=a["start"],
        shares=context.table(a["weights"]),
        codes=value_of(a["weights"]).numel(),
        fraction=a["fraction"],
        planes=how.planes,
        value_bytes=how.value,
        spans=len(how.ends),
        ends=context.constants.add(torch.tensor(how.ends, dtype=torch.int32)) if how.ends else None,
        values=_operand(
            context, a["values"], a["zero"], a["multiple"], a["group"], -2 if by_key else -1, by_key
        ),
        **context.named(a, "factor", "shift"),
    )
    sources = tuple(context.rows(a[name]) for name in ("codes", "mantissa", "exponent", "first"))
    whole = context.places.at(a["values"])
    return context.by_rows("attend", node, parameters, (*sources, whole), whole=(whole,))
