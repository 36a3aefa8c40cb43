"""Random logits and the real numbers that attention should make of them, in float64."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from dgqc.ir.plans import Coding, Granularity, QuantizedProbabilities
from dgqc.passes.lowering.attention import emit_softmax
from dgqc.passes.lowering.values import Logits, PendingProbabilities, ProbabilityCodes

from .eager import EagerBuilder
from .numbers import reals

OCTAVE = 65536
"""Logits come in units of 2^-16 octaves."""
EXP2_ERROR = 2.0**-17
"""Relative, of `exp2_negative`."""
ROW_ERROR = 2.0
"""-log2 of a probability is off by so many units at most: 1.2 of log2, 0.8 of the sum's exponentials."""


def logits(seed: int, spread: float, *shape: int) -> torch.Tensor:
    """int32, with a standard deviation of `spread` octaves."""
    return (reals(seed, *shape) * spread * OCTAVE).round().to(torch.int32)


def probabilities(codes: torch.Tensor) -> torch.Tensor:
    """Softmax in real numbers."""
    wide = codes.double() / OCTAVE
    powers = torch.exp2(wide - wide.amax(dim=-1, keepdim=True))
    return powers / powers.sum(dim=-1, keepdim=True)


def largest(shares: torch.Tensor, granularity: str) -> torch.Tensor:
    """s of eq. 8, for each row or for the sample, broadcastable against the shares."""
    return shares.amax(dim=-1, keepdim=True) if granularity == "row" else shares.amax()


def distance_to_tie(real: torch.Tensor) -> torch.Tensor:
    """How far a number is from the next n + 1/2."""
    return (real - torch.floor(real) - 0.5).abs()


def plan(
    bits: int, coding: str, granularity: str | None, scale: float | None = None
) -> QuantizedProbabilities:
    table = None if scale is None else torch.tensor([scale], dtype=torch.float64)
    kind = None if granularity is None else Granularity(granularity)
    return QuantizedProbabilities(bits, Coding(coding), kind, table)


def softmax(
    builder: EagerBuilder, scores: torch.Tensor, how: QuantizedProbabilities, start: bool
) -> ProbabilityCodes:
    """What lowering emits for a softmax with this plan, run."""
    pending = PendingProbabilities(Logits(scores), start)  # type: ignore[arg-type]
    size = (*scores.shape[:-1], scores.shape[-1] - int(start))
    site: fx.Node = builder.op(torch.ops.dgqc.site.default, (None, "probabilities"), size)
    return emit_softmax(builder, pending, how, site)  # type: ignore[arg-type]


def scale_of(shares: Any) -> torch.Tensor:
    """s as its mantissa and exponent give it."""
    return shares.mantissa.double() * 2.0**-15 * torch.exp2(-shares.exponent.double())
