"""Which ops may stand at the integer level, and what each must look like."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx

from .. import ops  # noqa: F401  (registers the dgqc ops)
from .argument_rules import (
    group_vector,
    per_call,
    per_channel,
    per_group,
    plain_number,
    value_type,
)
from .checks import Problem, Problems, Rule, Scope, anything, arguments, both, type_name
from .overflow_proofs import (
    attend_bound,
    convolution_bound,
    linear_bound,
    matmul_bound,
    norm_bound,
    pixel_convolution_bound,
    quantize_bound,
)
from .rules_float import contiguous_slice, step_row

aten = torch.ops.aten
dgqc = torch.ops.dgqc
INTEGER_TYPES = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
SHIFTS = (1, 62)
NONNEGATIVE = (0, 2**31 - 1)
CODE_BITS = (1, 8)
OPERAND = (torch.uint8, torch.int16)

EPILOGUE = both(
    per_channel("column", NONNEGATIVE),
    per_channel("bias"),
    per_call("factor", NONNEGATIVE),
    per_call("shift", SHIFTS),
    per_call("bias_factor"),
    per_call("bias_shift", SHIFTS),
)
"""The constants of `requantize_columns`."""
FACTOR = both(per_call("factor", NONNEGATIVE), per_call("shift", SHIFTS))
AFFINE = both(
    value_type("x", torch.int16),
    per_channel("gamma"),
    per_call("gamma_factor", NONNEGATIVE),
    # The reciprocal root adds up to 22 to this shift, and the sum must stay within 62.
    per_call("gamma_shift", (0, 40)),
    per_channel("beta"),
    per_call("beta_factor"),
    per_call("beta_shift", SHIFTS),
    per_call("epsilon", (1, 2**60), dtype=torch.int64),
)


def grouped(prefix: str, operand: str, axis: str | int) -> Rule:
    """zero, multiple and group of a product's operand."""
    return both(
        value_type(operand, *OPERAND),
        per_group(f"{prefix}zero"),
        per_group(f"{prefix}multiple", (1, 2**31 - 1)),
        group_vector(f"{prefix}group", f"{prefix}zero", operand, axis),
    )


def integer_result(node: fx.Node, scope: Scope) -> Problems:
    """No floating-point result."""
    value = scope.values[node]
    for part in value if isinstance(value, list | tuple) else (value,):
        if not isinstance(part, torch.Tensor) or part.dtype not in INTEGER_TYPES:
            yield Problem(type_name(value), "integer tensors alone", "an op was left in floating point")


def same_type(node: fx.Node, scope: Scope) -> Problems:
    """All parts of a concatenation have one type."""
    kinds = {scope.values[part].dtype for part in arguments(node)["tensors"]}
    if len(kinds) > 1:
        names = ", ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds))
        yield Problem(f"parts of types {names}", "one type", "a part was not rescaled to the result's type")


def granularity(node: fx.Node, scope: Scope) -> Problems:
    """`row` or `tensor`."""
    found = arguments(node)["granularity"]
    if found not in ("row", "tensor"):
        yield Problem(f"granularity={found!r}", "'row' or 'tensor'", "an option was passed on unchecked")


def keys(node: fx.Node, scope: Scope) -> Problems:
    """At most 2^16 keys, so that the sum of exponentials fits."""
    count = scope.values[arguments(node)["logits"]].shape[-1]
    if count > 2**16:
        yield Problem(f"{count} keys", "at most 65536", "the picture is too large for integer softmax")


def fraction(node: fx.Node, scope: Scope) -> Problems:
    """Fraction bits of what codes stand for."""
    found = arguments(node)["fraction"]
    if found not in (0, *range(15, 24)):
        yield Problem(f"fraction={found}", "0 or 15 .. 23", "a table of shares was built by hand")


def permutation(node: fx.Node, scope: Scope) -> Problems:
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


LOGITS = both(value_type("logits", torch.int32), keys)

INTEGER: Mapping[Any, Rule] = {
    aten.reshape.default: anything,
    aten.permute.default: anything,
    aten.slice.Tensor: contiguous_slice,
    aten.cat.default: same_type,
    operator.getitem: anything,
    dgqc.at_step.default: both(step_row, value_type("table", torch.int16)),
    dgqc.quantize.default: both(
        value_type("x", torch.int16),
        per_group("multiplier", (0, 2**15 - 1)),
        per_group("offset"),
        per_group("shift", (1, 30)),
        group_vector("group", "multiplier", "x", "axis"),
        plain_number("bits", CODE_BITS),
        quantize_bound,
    ),
    dgqc.linear.default: both(
        grouped("", "x", "axis"), value_type("weight", torch.int8), EPILOGUE, linear_bound
    ),
    dgqc.conv2d.default: both(
        grouped("", "x", -1), value_type("weight", torch.int8), EPILOGUE, convolution_bound
    ),
    dgqc.conv2d_pixel.default: both(
        value_type("x", torch.int16),
        per_group("quantize_multiplier", (0, 2**15 - 1)),
        per_group("quantize_offset"),
        per_group("quantize_shift", (1, 30)),
        per_group("zero"),
        per_group("multiple", (1, 2**31 - 1)),
        group_vector("group", "zero", None, "positions"),
        plain_number("bits", CODE_BITS),
        value_type("weight", torch.int8),
        EPILOGUE,
        pixel_convolution_bound,
    ),
    dgqc.matmul.default: both(
        grouped("a_", "a", "a_axis"), grouped("b_", "b", "b_axis"), FACTOR, matmul_bound
    ),
    dgqc.softmax_log2.default: both(LOGITS, plain_number("limit", (1, 31)), granularity),
    dgqc.softmax_uniform.default: both(LOGITS, plain_number("bits", CODE_BITS), granularity),
    dgqc.softmax_static.default: both(
        LOGITS,
        per_call("inverse", NONNEGATIVE),
        per_call("shift", SHIFTS),
        per_call("mantissa", (0, 2**15)),
        per_call("exponent", (1, 47)),
        plain_number("bits", CODE_BITS),
    ),
    dgqc.attend.default: both(
        value_type("codes", torch.uint8),
        grouped("", "values", "axis"),
        fraction,
        FACTOR,
        attend_bound,
    ),
    dgqc.group_norm.default: both(AFFINE, norm_bound),
    dgqc.layer_norm.default: both(AFFINE, norm_bound),
    dgqc.activation.default: both(
        value_type("x", torch.int16),
        value_type("table", torch.int32),
        per_call("index_factor", (0, 2**16 - 1)),
        per_call("index_shift", (0, 62)),
        FACTOR,
    ),
    dgqc.add.default: both(
        value_type("a", torch.int16),
        value_type("b", torch.int16),
        per_call("a_factor", (-(2**30), 2**30)),
        per_call("b_factor", (-(2**30), 2**30)),
        per_call("shift", SHIFTS),
    ),
    dgqc.mul.default: both(value_type("a", torch.int16), value_type("b", torch.int16), FACTOR),
    dgqc.gather.default: permutation,
    dgqc.rescale.default: both(value_type("x", torch.int16), FACTOR),
    dgqc.upsample_nearest.default: anything,
    dgqc.avg_pool2d.default: value_type("x", torch.int16),
}
"""Op to rule. Every op's result is checked by `integer_result` too, and `step` by `reads_step`."""
