"""A small graph with every op of the integer level, as a UNet would use them."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch

from dgqc.compiler.loop_tables import tabulate
from dgqc.frontends.samplers import sampler_for
from dgqc.frontends.schedules import schedule_for
from dgqc.ir.arithmetic.lookup import activation_table, sigmoid
from dgqc.ir.denoising import Labels
from dgqc.ir.program import Program

from .integer_graph import IntegerGraph
from .test_pointwise import norm_tables

aten, dgqc = torch.ops.aten, torch.ops.dgqc


def unet_like(seed: int = 0, channels: int = 8, size: int = 6, tokens: int = 5) -> Program:
    """Inputs sample (1, channels, size, size) and encoder_hidden_states (1, tokens, channels)."""
    g = IntegerGraph(steps=3, seed=seed)
    x, context = g.take(
        sample=(1, channels, size, size), encoder_hidden_states=(1, tokens, channels)
    )  # fmt: skip
    image = g.call(aten.permute.default, x, [0, 2, 3, 1])
    h = _resnet(g, image, channels, size * size)
    h = _cross_attention(g, h, context, channels, size * size, tokens)
    h = g.call(aten.reshape.default, h, [1, size, size, channels])
    h = _down_and_up(g, h, image, channels, size)
    return g.finish(g.call(aten.permute.default, h, [0, 3, 1, 2]))


def _resnet(g: IntegerGraph, image: Any, channels: int, pixels: int) -> Any:
    """The step's row is added to a convolution's output, and the input on the way out."""
    h = g.call(dgqc.group_norm.default, image, g.step, 2, *norm_tables(g, channels, channels * pixels // 2))
    place = (g.table(2**13, 2**16 - 1, g.steps), g.table(5, 16, g.steps))
    table = g.constant(activation_table(sigmoid, 16.0))
    scale = g.table(2**28, 2**30, g.steps), g.table(44, 47, g.steps)
    h = g.call(dgqc.activation.default, h, g.step, table, *place, *scale)
    codes = g.quantized(h, channels, 3, 6, 3)
    convolution = (g.weight(4, channels, 3, 3, channels), *g.epilogue(channels), [1, 1], [1, 1])
    h = g.call(dgqc.conv2d.default, codes[0], g.step, *codes[1:4], *convolution)
    rows = g.table(-9000, 9000, g.steps, 1, 1, 1, channels, dtype=torch.int16)
    row = g.call(dgqc.at_step.default, rows, g.step)
    factors = (*(g.table(2**28, 2**29, g.steps) for _ in "ab"), g.table(30, 30, g.steps))
    h = g.call(dgqc.add.default, h, row, g.step, *factors)
    return g.call(
        dgqc.mul.default, h, image, g.step, g.table(2**28, 2**29, g.steps), g.table(42, 44, g.steps)
    )


def _cross_attention(g: IntegerGraph, h: Any, context: Any, channels: int, pixels: int, tokens: int) -> Any:
    """With the start token kept apart. Rows (1, pixels, channels), their halves swapped."""

    def heads(value: Any, rows: int, bits: int) -> Any:
        """A linear of so many bits, by head."""
        codes = g.quantized(value, channels, 2, bits, 3) if bits % 4 else g.quantized(value, rows, 1, bits, 3)
        args = (codes[0], g.step, *codes[1:], g.weight(4, channels, channels), *g.epilogue(channels))
        split = g.call(aten.reshape.default, g.call(dgqc.linear.default, *args), [1, rows, 2, channels // 2])
        return g.call(aten.permute.default, split, [0, 2, 1, 3])

    rows = g.call(aten.reshape.default, h, [1, pixels, channels])
    normed = g.call(dgqc.layer_norm.default, rows, g.step, *norm_tables(g, channels, channels))
    q = g.quantized(heads(normed, pixels, 6), channels // 2, 3, 6, 2)
    k = g.quantized(heads(context, tokens, 8), tokens, 2, 6, 2)
    v = g.quantized(heads(context, tokens, 6), channels // 2, 3, 6, 2)
    args = (q[0], k[0], g.step, *q[1:], *k[1:], g.table(2**20, 2**22, g.steps), g.table(18, 20, g.steps), 32)
    probabilities = g.call(dgqc.softmax_log2.default, g.call(dgqc.matmul.default, *args), 31, "tensor", True)
    parts = [g.call(operator.getitem, probabilities, i) for i in range(4)]
    shares = g.constant(torch.tensor([2**23 >> i if i < 24 else 0 for i in range(32)], dtype=torch.int32))
    factors = (g.table(2**14, 2**18, g.steps), g.table(18, 30, g.steps))
    mixed = g.call(dgqc.attend.default, *parts, True, shares, 23, v[0], g.step, *v[1:], *factors)
    permuted = g.call(aten.permute.default, mixed, [0, 2, 1, 3])
    mixed = g.call(aten.reshape.default, permuted, [1, pixels, channels])
    half = channels // 2
    halves = [g.call(aten.slice.Tensor, mixed, 2, i * half, (i + 1) * half) for i in range(2)]
    return g.call(aten.cat.default, halves[::-1], 2)


def _down_and_up(g: IntegerGraph, h: Any, image: Any, channels: int, size: int) -> Any:
    """And a skip connection into a convolution grouped by output position."""
    small = g.call(dgqc.avg_pool2d.default, h, 2, 2)
    scale = g.table(2**29, 2**30, g.steps), g.table(29, 30, g.steps)
    small = g.call(dgqc.rescale.default, small, g.step, *scale)
    large = g.call(dgqc.upsample_nearest.default, small, size, size)
    joined = g.call(aten.cat.default, [large, image], 3)
    tables = g.quantized(joined, size * size, 2, 6, 4)
    quantizer = tables[0].args[2:5]
    g.graph.erase_node(tables[0])
    args = (joined, g.step, *quantizer, *tables[1:4], 6, g.weight(8, channels, 3, 3, 2 * channels))
    return g.call(dgqc.conv2d_pixel.default, *args, *g.epilogue(channels), [1, 1], [1, 1])


def inputs_of(program: Program, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random int16 inputs, extremes included."""
    graph = IntegerGraph(seed=seed)
    return {item.name: graph.values(*item.shape) for item in program.inputs}


def _in_steps(value: Any) -> Any:
    """The same with all its numbers rounded."""
    if isinstance(value, float):
        return round(value * 2**12) / 2**12
    if isinstance(value, tuple):
        return tuple(map(_in_steps, value))
    if isinstance(value, Mapping):
        return {key: _in_steps(one) for key, one in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{one.name: _in_steps(getattr(value, one.name)) for one in fields(value)})
    return value


def with_ddim(program: Program, labels: Labels | None = None) -> Program:
    """The program with a denoising loop over its steps, for made-up scales.

    Coefficients are in steps of 2^-12: PyTorch's roots differ in the last bit from one processor to another.
    """
    steps = len(program.schedule)
    config = {"_class_name": "DDIMScheduler", "prediction_type": "sample"}
    scale = torch.full((steps,), 2e-4, dtype=torch.float64)
    sampler = _in_steps(sampler_for("ddim", config, schedule_for(config, steps)[1]))
    return replace(program, loop=tabulate(sampler, scale, scale, labels))
