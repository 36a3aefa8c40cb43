"""Attention probabilities on integers: `dgqc::softmax_log2`, `dgqc::softmax_uniform`, `dgqc::attend`.

Logits come in units of 2^-16 octaves, so that softmax is 2^logit / sum 2^logit and -log2 of a probability is
a difference: code straight from logits, no division, no exponential on the way (docs/arithmetic.md).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import fx

from ..arithmetic.fixed_point import round_shift, saturate16
from ..arithmetic.lookup import exp2_negative, log2
from ..nodes import argument
from ..verify.argument_rules import (
    CODE_BITS,
    NONNEGATIVE,
    SHIFTS,
    factor_and_shift,
    grouped,
    one_of,
    per_call,
    plain_number,
    value_type,
)
from ..verify.checks import Problem, Problems, VerificationScope, both
from ..verify.overflow_proofs import attend_bound
from .blocks import by_rows
from .fake import fake
from .integer import (
    IntegerOp,
    Known,
    OperandArguments,
    ProductArguments,
    ValueRange,
    any_value,
    bit_codes,
    register_integer,
)
from .product import centered

MAX_EXPONENT = 40
"""Scales below 2^-40 count as 2^-40: what they add to any output is below one step."""


def log2_of_sum(logits: torch.Tensor) -> torch.Tensor:
    """log2 of a row's sum of 2^logit: what a logit lies below it is -log2 of its probability.

    logits: int32 (..., N), Q16 octaves, of up to 2^16 keys: the sum of Q30 terms stays below 2^46. Returns
    int64 (..., 1), Q16.
    """
    largest = logits.amax(dim=-1, keepdim=True).to(torch.int64)
    total = exp2_negative(largest - logits).sum(dim=-1, keepdim=True)
    return largest + log2(total) - (30 << 16)


def power_of_two_scale(octaves: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """2^-octaves as mantissa * 2^-15 * 2^-exponent. octaves: int64 >= 0, Q16.

    Returns int32 mantissas in 2^14 .. 2^15 and int32 exponents in 0 .. MAX_EXPONENT.
    """
    mantissa = round_shift(exp2_negative(octaves & 65535), 15).to(torch.int32)
    return mantissa, (octaves >> 16).clamp(max=MAX_EXPONENT).to(torch.int32)


def start_probability(octaves: torch.Tensor, start: bool) -> torch.Tensor:
    """The first key's probability in Q15 (0 .. 32768), int32 (..., M, 1); zeros where it isn't kept apart."""
    first = octaves[..., :1]
    if not start:
        return torch.zeros_like(first, dtype=torch.int32)
    return round_shift(exp2_negative(first), 15).to(torch.int32)


def step_octaves(bits: int) -> int:
    """How far a step of uniform codes of `bits` bits lies below their scale: log2(2^bits - 1) in Q16."""
    return int(log2(torch.tensor(2**bits - 1)))


def softmax_codes(
    logits: torch.Tensor,
    granularity: str,
    start: bool,
    coded: Callable[[torch.Tensor], torch.Tensor],
    below: int = 0,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The results of `dgqc::softmax_log2`. coded: codes of -log2 (A / s), int64 >= 0, Q16. below: how far the
    scale that is returned lies below s, in Q16 octaves.
    """

    def sums(rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        total = log2_of_sum(rows)
        return total, total - rows[..., int(start) :].amax(dim=-1, keepdim=True)

    def quantized(rows: torch.Tensor, total: torch.Tensor, best: torch.Tensor) -> tuple[torch.Tensor, ...]:
        octaves = total - rows
        codes = coded(octaves[..., int(start) :] - best)
        return codes, *power_of_two_scale(best + below), start_probability(octaves, start)

    def at_once(rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return quantized(rows, *sums(rows))

    keys = logits.shape[-1]
    if granularity == "row":
        codes, mantissa, exponent, first = by_rows(at_once, keys, logits)
    else:
        total, best = by_rows(sums, keys, logits)
        shared = best.amin().expand_as(best)
        codes, mantissa, exponent, first = by_rows(quantized, keys, logits, total, shared)
    return codes, mantissa, exponent, first


def _up_to_limit(node: fx.Node, known: Known) -> ValueRange:
    return 0, int(argument(node, "limit"))


def _few_keys(node: fx.Node, scope: VerificationScope) -> Problems:
    """At most 2^16 keys, so that the sum of exponentials fits."""
    count = scope.values[argument(node, "logits")].shape[-1]
    if count > 2**16:
        yield Problem(f"{count} keys", "at most 65536", "the picture is too large for integer softmax")


GRANULARITY = one_of("granularity", "row", "tensor")
LOGITS = both(value_type("logits", torch.int32), _few_keys)


@torch.library.custom_op("dgqc::softmax_log2", mutates_args=())
def softmax_log2(
    logits: torch.Tensor, limit: int, granularity: str, start: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Softmax, quantized to powers of two of the largest probability s (DGQ eq. 8-9).

    code = clamp(round(-log2(A / s)), 0, limit); s is the largest probability of the row (granularity "row")
    or of the whole sample ("tensor"), the first key's excepted when `start` keeps it apart.
    logits: int32 (..., M, N), Q16 octaves, one sample. limit: 1 .. 31.
    Returns codes uint8 (..., M, N - start); s as mantissa int32 and exponent int32 (..., M, 1),
    s = mantissa * 2^-15 * 2^-exponent; the first key's probability int32 (..., M, 1) in Q15.
    """

    def coded(octaves: torch.Tensor) -> torch.Tensor:
        return ((octaves + 2**15) >> 16).clamp(max=limit).to(torch.uint8)

    return softmax_codes(logits, granularity, start, coded)


@fake(softmax_log2)
def _(logits: torch.Tensor, start: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    return _softmax_shapes(logits, start)


register_integer(
    IntegerOp(
        torch.ops.dgqc.softmax_log2.default,
        rule=both(LOGITS, plain_number("limit", (1, 31)), GRANULARITY),
        values=_up_to_limit,
    )
)


def _softmax_shapes(
    logits: torch.Tensor, start: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    rows = (*logits.shape[:-1], 1)
    codes = logits.new_empty((*logits.shape[:-1], logits.shape[-1] - int(start)), dtype=torch.uint8)
    a, b, c = (logits.new_empty(rows, dtype=torch.int32) for _ in range(3))
    return codes, a, b, c


@torch.library.custom_op("dgqc::softmax_uniform", mutates_args=())
def softmax_uniform(
    logits: torch.Tensor, bits: int, granularity: str, start: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Softmax, quantized uniformly with a scale taken at run time.

    code = round(A / s * (2^bits - 1)), s the largest probability as in `dgqc::softmax_log2`, whose arguments
    and results these are, but for the scale: it is that of a code's step, s / (2^bits - 1), with an exponent
    of at least 1. bits: 2 .. 8.
    """

    def coded(octaves: torch.Tensor) -> torch.Tensor:
        return round_shift(exp2_negative(octaves) * (2**bits - 1), 30).to(torch.uint8)

    return softmax_codes(logits, granularity, start, coded, step_octaves(bits))


@fake(softmax_uniform)
def _(logits: torch.Tensor, start: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    return _softmax_shapes(logits, start)


register_integer(
    IntegerOp(
        torch.ops.dgqc.softmax_uniform.default,
        rule=both(LOGITS, plain_number("bits", CODE_BITS), GRANULARITY),
        values=bit_codes,
    )
)


@torch.library.custom_op("dgqc::softmax_static", mutates_args=())
def softmax_static(
    logits: torch.Tensor,
    step: torch.Tensor,
    inverse: torch.Tensor,
    shift: torch.Tensor,
    mantissa: torch.Tensor,
    exponent: torch.Tensor,
    bits: int,
    start: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Softmax, quantized uniformly with one static scale per call.

    code = clamp((A * inverse + half) >> shift, 0, 2^bits - 1), A in Q30; inverse, shift: int32 (T,).
    mantissa, exponent: int32 (T,), the scale of a step as `dgqc::softmax_uniform` gives it, whose results
    these are.
    """

    def quantized(rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        octaves = log2_of_sum(rows) - rows
        scaled = exp2_negative(octaves[..., int(start) :]) * inverse[step].to(torch.int64)
        codes = round_shift(scaled, shift[step].to(torch.int64)).clamp(max=2**bits - 1).to(torch.uint8)
        return codes, start_probability(octaves, start)

    codes, first = by_rows(quantized, logits.shape[-1], logits)
    row = torch.zeros_like(first)
    return codes, row + mantissa[step], row + exponent[step], first


@fake(softmax_static)
def _(logits: torch.Tensor, start: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    return _softmax_shapes(logits, start)


register_integer(
    IntegerOp(
        torch.ops.dgqc.softmax_static.default,
        rule=both(
            LOGITS,
            per_call("inverse", NONNEGATIVE),
            per_call("shift", SHIFTS),
            per_call("mantissa", (0, 2**15)),
            per_call("exponent", (1, 47)),
            plain_number("bits", CODE_BITS),
        ),
        values=bit_codes,
    )
)


@torch.library.custom_op("dgqc::attend", mutates_args=())
def attend(
    codes: torch.Tensor,
    mantissa: torch.Tensor,
    exponent: torch.Tensor,
    first: torch.Tensor,
    start: bool,
    weights: torch.Tensor,
    fraction: int,
    values: torch.Tensor,
    step: torch.Tensor,
    zero: torch.Tensor,
    multiple: torch.Tensor,
    group: torch.Tensor,
    axis: int,
    factor: torch.Tensor,
    shift: torch.Tensor,
) -> torch.Tensor:
    """Quantized probabilities times quantized values (DGQ eq. 9).

    sum = sum_j weights[code[i, j]] * v'[j, d]           Q`fraction`, v' = multiple * (value - zero)
    mix = round_shift(sum, fraction - 15) * s + first[i] * v'[0, d] (with `start`, and j counts from key 1)
    y   = saturate16((mix * factor + half) >> shift)      mix in Q15

    codes: uint8 (..., M, N). mantissa, exponent, first: int32 (..., M, 1) as the softmax ops give them.
    weights: int32 (number of codes,), what a code stands for in units of the scale, in Q`fraction`, which is
    15 .. 23, or 0 for whole numbers. values: uint8 or int16 (..., N + start, D); zero, multiple, group, axis
    as in `dgqc::matmul`.
    Returns int16 (..., M, D).
    Widths: quantized probabilities of a row sum to at most 1.5 + N / 2^limit, so |mix| stays below
    2^15 * (2.5 + N / 2^limit) * max|v'|; the sum itself is below N * 2^fraction * max|v'| < 2^53.
    """

    def mixed(
        codes: torch.Tensor,
        mantissa: torch.Tensor,
        exponent: torch.Tensor,
        first: torch.Tensor,
        operand: torch.Tensor,
    ) -> tuple[torch.Tensor]:
        rest = operand[..., 1:, :] if start else operand
        probabilities = weights.to(torch.float64)[codes.to(torch.int64)]
        total = (probabilities @ rest).to(torch.int64)
        if fraction > 15:
            total = round_shift(total, fraction - 15)
        mix = round_shift(total * mantissa.to(torch.int64), min(fraction, 15) + exponent.to(torch.int64))
        if start:
            mix = mix + first.to(torch.int64) * operand[..., :1, :].to(torch.int64)
        return (saturate16(round_shift(mix * factor[step].to(torch.int64), shift[step].to(torch.int64))),)

    operand = centered(values, step, zero, multiple, group, axis)
    width = max(codes.shape[-1], values.shape[-1])
    return by_rows(mixed, width, codes, mantissa, exponent, first, whole=(operand,))[0]


@fake(attend)
def _(codes: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    return codes.new_empty((*codes.shape[:-1], values.shape[-1]), dtype=torch.int16)


register_integer(
    IntegerOp(
        torch.ops.dgqc.attend.default,
        rule=both(
            value_type("codes", torch.uint8),
            grouped("values", "axis"),
            one_of("fraction", 0, *range(15, 24)),
            factor_and_shift(),
            attend_bound,
        ),
        values=any_value,
        product=ProductArguments((OperandArguments("values", -2),)),
    )
)
