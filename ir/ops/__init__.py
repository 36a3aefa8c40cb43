"""The `dgqc::` ops: one family a file, each with its schema, its fake kernel, its integer reference and
its record (`integer.py`; those of the float levels in `captured.py` and `planned.py`).

Conventions. `step` is an int64 scalar, the index of the UNet call in the schedule; a table's first axis is
the step. A real multiplier is an int32 mantissa with an int32 shift. `group` holds the group of each index of
`axis`. References are exact integer arithmetic, written to be read: they carry integers in float64 where that
reaches a fast matrix product, below 2^53, where every float64 integer is exact.
"""

from . import (
    activation,
    attention,
    balance,
    cached,
    captured_aten,
    conditions,
    convolution,
    depthwise,
    elementwise,
    function,
    integer_aten,
    logits,
    max_pool,
    mean,
    norm,
    norm_in_parts,
    product,
    quantize,
    rms_norm,
    simulate,
    site,
    softmax,
    take,
    tokens,
)

__all__ = [
    "activation",
    "attention",
    "balance",
    "cached",
    "captured_aten",
    "conditions",
    "convolution",
    "depthwise",
    "elementwise",
    "function",
    "integer_aten",
    "logits",
    "max_pool",
    "mean",
    "norm",
    "norm_in_parts",
    "product",
    "quantize",
    "rms_norm",
    "simulate",
    "site",
    "softmax",
    "take",
    "tokens",
]
