"""Fake quantization: the papers' formulas in floating point, for the simulated level.

These are composites of differentiable ATen ops; rounding passes gradients straight through, so that
reconstruction can train through them.
"""

from __future__ import annotations

import torch
from torch.nn.functional import unfold

from ..verify.rules_float import fake_quantized, fake_quantized_stepped
from .convolution import convolved
from .planned import PlannedOp, register_planned
from .quantize import along

_library = torch.library.Library("dgqc", "FRAGMENT")  # type: ignore[no-untyped-call]


def straight_through_round(x: torch.Tensor) -> torch.Tensor:
    """round(x), whose gradient is that of x."""
    return x + (torch.round(x) - x).detach()


def row(table: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """table[step], in a form that can be traced."""
    return table.index_select(0, step.reshape(1))[0]


def fake_quantize(
    x: torch.Tensor,
    step: torch.Tensor,
    scale: torch.Tensor,
    zero: torch.Tensor,
    group: torch.Tensor,
    axis: int,
    bits: int,
) -> torch.Tensor:
    """x^ = scale * (clamp(round(x / scale) + zero, 0, 2^bits - 1) - zero), both of the index's group.

    x: float. scale, zero: float (T, G). group: uint8 (n,). Source: DGQ eq. 1-2.
    """
    index = group.to(torch.int64)
    s, z = (along(row(t, step)[index].to(x.dtype), x.dim(), axis) for t in (scale, zero))
    return s * ((straight_through_round(x / s) + z).clamp(0, 2**bits - 1) - z)


def fake_quantize_stepped(
    x: torch.Tensor,
    step: torch.Tensor,
    channel_scale: torch.Tensor,
    channel_zero: torch.Tensor,
    pixel_scale: torch.Tensor,
    pixel_zero: torch.Tensor,
    channel_axis: int,
    pixel_axis: int,
    bits: int,
) -> torch.Tensor:
    """`fake_quantize` with groups along either of two axes, whichever isn't 1 and 0 at this call.

    x: float. The tables: float (T, n) along the channel axis, (T, m) along the pixel axis.
    """
    dims = x.dim()
    s = along(row(channel_scale, step), dims, channel_axis) * along(row(pixel_scale, step), dims, pixel_axis)
    z = along(row(channel_zero, step), dims, channel_axis) + along(row(pixel_zero, step), dims, pixel_axis)
    return s * ((straight_through_round(x / s) + z).clamp(0, 2**bits - 1) - z)


def largest_probability(p: torch.Tensor, granularity: str) -> torch.Tensor:
    """The largest p of each row or sample, broadcastable against p; above 0, since it is divided by.

    Where the start token takes all there is, the others' probabilities vanish in floating point.
    """
    dims = (-1,) if granularity == "row" else tuple(range(1, p.dim()))
    return p.amax(dim=dims, keepdim=True).clamp(min=1e-30)


def fake_quantize_log2(p: torch.Tensor, bits: int, granularity: str) -> torch.Tensor:
    """s * 2^-clamp(round(-log2(p / s)), 0, 2^bits - 1), s the largest p of each row or sample (DGQ eq. 8-9).

    p: float (B, ..., M, N), probabilities. A probability of 0 gets the last code, not 0.
    """
    s = largest_probability(p, granularity)
    exponent = straight_through_round(-torch.log2((p / s).clamp(min=1e-38))).clamp(0, 2**bits - 1)
    result: torch.Tensor = s * torch.exp2(-exponent)
    return result


def fake_quantize_uniform(p: torch.Tensor, bits: int, granularity: str) -> torch.Tensor:
    """Uniform codes 0 .. 2^bits - 1, the last for the largest p of each row or sample. p: (B, ..., M, N)."""
    s = largest_probability(p, granularity) / (2**bits - 1)
    result: torch.Tensor = s * straight_through_round(p / s)
    return result


def fake_quantize_static(p: torch.Tensor, step: torch.Tensor, scale: torch.Tensor, bits: int) -> torch.Tensor:
    """Uniform codes 0 .. 2^bits - 1 of one static step per call. scale: float (T,)."""
    s = row(scale, step).to(p.dtype)
    return s * straight_through_round(p / s).clamp(0, 2**bits - 1)


def conv2d_pixel_simulated(
    x: torch.Tensor,
    step: torch.Tensor,
    scale: torch.Tensor,
    zero: torch.Tensor,
    group: torch.Tensor,
    bits: int,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: list[int],
    padding: list[int],
) -> torch.Tensor:
    """Convolution whose patches are fake-quantized by their output position's group. group: (H' * W',)."""
    patches = patches_of(x, weight, stride, padding)
    quantized = fake_quantize(patches, step, scale, zero, group, 2, bits)
    return product_of_patches(quantized, x, weight, bias, stride, padding)


def conv2d_stepped_simulated(
    x: torch.Tensor,
    step: torch.Tensor,
    channel_scale: torch.Tensor,
    channel_zero: torch.Tensor,
    pixel_scale: torch.Tensor,
    pixel_zero: torch.Tensor,
    bits: int,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: list[int],
    padding: list[int],
) -> torch.Tensor:
    """Convolution whose im2col matrix is fake-quantized by rows or by columns, as in DGQ's code."""
    patches = patches_of(x, weight, stride, padding)
    tables = (channel_scale, channel_zero, pixel_scale, pixel_zero)
    quantized = fake_quantize_stepped(patches, step, *tables, 1, 2, bits)
    return product_of_patches(quantized, x, weight, bias, stride, padding)


def patches_of(x: torch.Tensor, weight: torch.Tensor, stride: list[int], padding: list[int]) -> torch.Tensor:
    """im2col: (B, C * kh * kw, H' * W') of x (B, C, H, W) for a weight (N, C, kh, kw), zeros around it."""
    return unfold(x, tuple(weight.shape[2:]), padding=tuple(padding), stride=tuple(stride))


def product_of_patches(
    patches: torch.Tensor,
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: list[int],
    padding: list[int],
) -> torch.Tensor:
    """The convolution of x whose patches these are, (B, N, H', W')."""
    n, _, kernel_height, kernel_width = weight.shape
    height = convolved(x.shape[2], kernel_height, stride[0], padding[0])
    width = convolved(x.shape[3], kernel_width, stride[1], padding[1])
    y = weight.reshape(n, -1) @ patches
    if bias is not None:
        y = y + bias[:, None]
    return y.reshape(x.shape[0], n, height, width)


for _schema, _function in (
    (
        "fake_quantize(Tensor x, Tensor step, Tensor scale, Tensor zero, Tensor group, int axis, int bits)"
        " -> Tensor",
        fake_quantize,
    ),
    (
        "fake_quantize_stepped(Tensor x, Tensor step, Tensor channel_scale, Tensor channel_zero,"
        " Tensor pixel_scale, Tensor pixel_zero, int channel_axis, int pixel_axis, int bits) -> Tensor",
        fake_quantize_stepped,
    ),
    (
        "conv2d_stepped_simulated(Tensor x, Tensor step, Tensor channel_scale, Tensor channel_zero,"
        " Tensor pixel_scale, Tensor pixel_zero, int bits, Tensor weight, Tensor? bias, int[] stride,"
        " int[] padding) -> Tensor",
        conv2d_stepped_simulated,
    ),
    ("fake_quantize_log2(Tensor p, int bits, str granularity) -> Tensor", fake_quantize_log2),
    ("fake_quantize_uniform(Tensor p, int bits, str granularity) -> Tensor", fake_quantize_uniform),
    ("fake_quantize_static(Tensor p, Tensor step, Tensor scale, int bits) -> Tensor", fake_quantize_static),
    (
        "conv2d_pixel_simulated(Tensor x, Tensor step, Tensor scale, Tensor zero, Tensor group, int bits,"
        " Tensor weight, Tensor? bias, int[] stride, int[] padding) -> Tensor",
        conv2d_pixel_simulated,
    ),
):
    _library.define(_schema)  # type: ignore[no-untyped-call]
    _library.impl(_schema.split("(")[0], _function, "CompositeImplicitAutograd")  # type: ignore[no-untyped-call]

dgqc = torch.ops.dgqc
register_planned(
    PlannedOp(dgqc.fake_quantize.default, fake_quantized),
    PlannedOp(dgqc.fake_quantize_static.default, fake_quantized),
    PlannedOp(dgqc.fake_quantize_stepped.default, fake_quantized_stepped),
    PlannedOp(dgqc.conv2d_stepped_simulated.default, fake_quantized_stepped),
    PlannedOp(dgqc.conv2d_pixel_simulated.default, fake_quantized),
    PlannedOp(dgqc.fake_quantize_log2.default),
    PlannedOp(dgqc.fake_quantize_uniform.default),
)
