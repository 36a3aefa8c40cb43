"""Plans: what was decided about each site, typed and serializable.

An operand's plan grows from stage to stage, one pass at a time, and each stage is a type of its own, so
that a pass can't read what has not been decided yet:

    Operand -> ObservedOperand -> PlacedOperand -> GroupedOperand -> QuantizedOperand
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import torch


class Dimension(StrEnum):
    """The dimension along which outliers lie (DGQ eq. 4-5)."""

    CHANNEL = "channel"
    """The reduction axis of the product: a linear's or convolution's input channels, a head's features."""
    PIXEL = "pixel"
    """The other axis: rows of a linear's input, output positions of a convolution, tokens."""


class Role(StrEnum):
    """What an operand is used as."""

    LINEAR = "linear"
    """(..., rows, channels)"""
    CONVOLUTION = "convolution"
    """(B, channels, H, W); pixels are output positions, each with its whole patch"""
    LEFT = "left"
    """Left side of a product of two activations (..., M, K): queries"""
    RIGHT = "right"
    """Right side (..., K, N): transposed keys, values; pixels are the last axis"""


@dataclass(frozen=True)
class Operand:
    """A value that enters a product as `bits`-bit unsigned codes.

    padded: zeros are put around it (a padded convolution), so every range must include 0.
    """

    role: Role
    bits: int
    padded: bool


@dataclass(frozen=True)
class Ranges:
    """Smallest and largest value seen, float32 (T, n) each: per call of the schedule and axis index."""

    low: torch.Tensor
    high: torch.Tensor


@dataclass(frozen=True)
class Variation:
    """What an operand's ranges along a dimension would be without the sample that went furthest.

    samples: int64 (T,), how many were seen of each call. low, high: float32 (T, n), the second smallest and
        the second largest of the samples' extremes, index by index; as the ranges where one was seen.
    """

    samples: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor


def of_all(one: Ranges | Variation, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The smallest and the largest of all indices, (T, count) each: for each of so many others."""
    low, high = one.low.amin(dim=1, keepdim=True), one.high.amax(dim=1, keepdim=True)
    return low.repeat(1, count), high.repeat(1, count)


@dataclass(frozen=True)
class ObservedOperand:
    """Ranges along both dimensions. Variations are None where nobody looked at samples one by one."""

    operand: Operand
    channel: Ranges
    pixel: Ranges
    channel_variation: Variation | None = None
    pixel_variation: Variation | None = None


@dataclass(frozen=True)
class PlacedOperand:
    """The dimension is chosen: ranges along it."""

    operand: Operand
    dimension: Dimension
    ranges: Ranges
    variation: Variation | None = None


@dataclass(frozen=True)
class GroupedOperand:
    """Each index along the dimension belongs to a group.

    group: int64 (n,), values 0 .. G-1, every group non-empty; one assignment for all calls.
    """

    operand: Operand
    dimension: Dimension
    ranges: Ranges
    group: torch.Tensor
    variation: Variation | None = None


@dataclass(frozen=True)
class QuantizedOperand:
    """Ready: code = clamp(round(x / scale) + zero, 0, 2^bits - 1), x^ = scale * (code - zero).

    group: int64 (n,), values 0 .. G-1.
    base: float64 (T,), the unit that every group's scale is a multiple of.
    multiple: int64 (T, G), >= 1; the scale of group g at call t is base[t] * multiple[t, g], which lets
        partial sums of different groups be added exactly in integers.
    zero: int64 (T, G), may lie outside 0 .. 2^bits - 1 where a group's range doesn't include 0.
    """

    operand: Operand
    dimension: Dimension
    group: torch.Tensor
    base: torch.Tensor
    multiple: torch.Tensor
    zero: torch.Tensor

    @property
    def scale(self) -> torch.Tensor:
        """float64 (T, G)."""
        return self.base[:, None] * self.multiple


@dataclass(frozen=True)
class CallQuantizer:
    """One call's: x^ = scale * (clamp(round(x / scale) + zero, 0, 2^bits - 1) - zero).

    group: int64 (n,), values 0 .. G-1, of the indices along the dimension.
    scale, zero: float64 (n,), the same for all of a group; zeros may lie outside 0 .. 2^bits - 1.
    """

    dimension: Dimension
    group: torch.Tensor
    scale: torch.Tensor
    zero: torch.Tensor


@dataclass(frozen=True)
class SteppedOperand:
    """Grouped anew at each call, with free scales, as DGQ's released code does: simulated level only.

    calls: T of them. channels, pixels: the operand's sizes. A convolution's are those of its im2col matrix:
    (input channel, tap) and output pixels.
    """

    operand: Operand
    calls: tuple[CallQuantizer, ...]
    channels: int
    pixels: int


class Granularity(StrEnum):
    """What shares one scale of attention probabilities."""

    TENSOR = "tensor"
    """One per sample, over heads, queries and keys (DGQ eq. 8)."""
    ROW = "row"
    """One per query."""


class Coding(StrEnum):
    """How attention probabilities are quantized."""

    LOG2 = "log2"
    """code = clamp(round(-log2(A / s)), 0, 2^bits - 1), A^ = s * 2^-code (DGQ eq. 8-9)"""
    UNIFORM = "uniform"
    """code = clamp(round(A / s), 0, 2^bits - 1), A^ = s * code"""


@dataclass(frozen=True)
class Probabilities:
    """An attention's probabilities (..., queries, keys), not yet decided on."""

    bits: int


@dataclass(frozen=True)
class CodingLoss:
    """What each way to code an attention's probabilities changes of its output, summed squares.

    in_part: whether only some of the queries were looked at.
    """

    log2: float
    uniform: float
    in_part: bool


@dataclass(frozen=True)
class ObservedProbabilities:
    """high: float32 (T,), the largest probability seen at each call. lost: by how they might be coded, where
    that was looked at."""

    bits: int
    high: torch.Tensor
    lost: CodingLoss | None = None


@dataclass(frozen=True)
class QuantizedProbabilities:
    """Ready.

    granularity: what shares a scale computed at run time; None for a static scale per call.
    scale: float64 (T,) for a static scale, of one code step; None at run time.
    """

    bits: int
    coding: Coding
    granularity: Granularity | None
    scale: torch.Tensor | None


PER_OCTAVE = 4
"""Steps of an exponent that double a scale: finer ones would gain less than a dB."""
PARTS_OF_AN_OCTAVE = tuple(2.0 ** (part / PER_OCTAVE) for part in range(PER_OCTAVE))
EXPONENT_BIAS, MANTISSA_BITS = 1023, 52
"""Of float64."""
LARGEST_EXPONENT = 1000
"""Beyond it scales are no numbers."""


@dataclass(frozen=True)
class Activation16:
    """A value that stays 16 bits wide between ops, with one scale per call, or one for each channel."""


@dataclass(frozen=True)
class ObservedActivation16:
    """high: float32 (T, C), the largest magnitude seen at each call in each channel.

    exponent: int64 (C,), of the channels' scales (`QuantizedActivation16`); None where all have one.
    wide: whether it takes 20 bits.
    """

    high: torch.Tensor
    exponent: torch.Tensor | None = None
    wide: bool = False


@dataclass(frozen=True)
class QuantizedActivation16:
    """scale: float64 (T,), the real value of one int16 step; times 2^(exponent / 4) of each channel.

    exponent: int64 (C,), at least 0, the same at all calls; None where all channels have one scale.
    wide: whether it takes 20 bits, where the op that makes it can give them; its steps are a 16th then.
    """

    scale: torch.Tensor
    exponent: torch.Tensor | None = None
    wide: bool = False

    @property
    def scales(self) -> torch.Tensor:
        """Of each channel, float64 (T, C); (T, 1) where all have one."""
        if self.exponent is None:
            return self.scale[:, None]
        return self.scale[:, None] * ratios(self.exponent)


def ratios(exponent: torch.Tensor) -> torch.Tensor:
    """What exponents stand for, float64: 2^(exponent / 4). exponent: int64, above -4000 and below 4000.

    Equal exponents give equal numbers, to the last bit, wherever they stand and on every machine; torch.exp2
    differs between what fills its vectors and what is left over. The power of two is put into its place.
    """
    whole = torch.div(exponent, PER_OCTAVE, rounding_mode="floor")
    powers = ((whole + EXPONENT_BIAS) << MANTISSA_BITS).view(torch.float64)
    parts = torch.tensor(PARTS_OF_AN_OCTAVE, dtype=torch.float64, device=exponent.device)
    return parts[exponent - PER_OCTAVE * whole] * powers


@dataclass(frozen=True)
class Correction:
    """A value that takes up what quantization changed on average: x^ = factor * x + offset, by channel.

    factor, offset: float64 (T, C), along axis 1. In the float graph the value stays as it is.
    """

    factor: torch.Tensor
    offset: torch.Tensor


@dataclass(frozen=True)
class CachedValue:
    """A value that some calls take from an earlier one: x^_t = factor_t * x_source(t) + offset_t, by channel,
    and older_t times the value at the full call before source(t).

    source: int64 (T,), the call that each call takes it of; its own where it computes it.
    factor, offset: float64 (T, C), along the axis; 1 and 0 at full calls. axis: of the float graph.
    older: float64 (T, C), 0 at full calls and where no full call is before; None where none is read.
    amends: float64 (T,), of full calls, what they go beyond a shallow call's answer by, in differences of the
    two; 0 elsewhere. With it, tables of full calls foretell them from those before, as shallow calls'.
    In the float graph every call is full.
    """

    source: torch.Tensor
    factor: torch.Tensor
    offset: torch.Tensor
    axis: int
    older: torch.Tensor | None = None
    amends: torch.Tensor | None = None


@dataclass(frozen=True)
class Weight:
    """A weight (N, ...) as signed `bits`-bit integers, symmetric, one scale per output channel.

    codes: int8 of the weight's shape, values -2^(bits-1) .. 2^(bits-1) - 1.
    scale: float64 (N,).
    """

    bits: int
    codes: torch.Tensor
    scale: torch.Tensor


Plan = (
    Operand
    | ObservedOperand
    | PlacedOperand
    | GroupedOperand
    | QuantizedOperand
    | SteppedOperand
    | Probabilities
    | ObservedProbabilities
    | QuantizedProbabilities
    | Activation16
    | ObservedActivation16
    | QuantizedActivation16
    | Correction
    | CachedValue
    | Weight
)
