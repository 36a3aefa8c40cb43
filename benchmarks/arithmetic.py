"""Prints the error figures of docs/arithmetic.md: `python benchmarks/arithmetic.py`.

Everything is measured on what the compiler emits: one-op programs, lowered, against float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from one_op import OneOp, one

from dgqc.ir.arithmetic.fixed_point import multiplier
from dgqc.ir.arithmetic.lookup import exp2_negative, log2, reciprocal_root
from dgqc.ir.plans import Dimension, Operand, QuantizedOperand, Role
from dgqc.passes.activations.timestep_tables import best_base
from dgqc.passes.lowering.operands import quantizer
from dgqc.passes.weights.quantize_weights import RangeMethod, round_to_nearest

aten, dgqc = torch.ops.aten, torch.ops.dgqc
STEP = torch.tensor(0)
OCTAVE = 65536


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    lookups()
    quantization()
    linear()
    bases()
    gates()
    norms()
    softmax()
    attend()


def show(what: str, **figures: float) -> None:
    print(f"{what:44}", *(f"{name} {value:<11.4g}" for name, value in figures.items()))


def errors(found: torch.Tensor, wanted: torch.Tensor) -> dict[str, float]:
    """Largest and root-mean-square difference, in steps of the result."""
    difference = found.double() - wanted
    return {"max": float(difference.abs().max()), "rms": float(difference.square().mean().sqrt())}


def lookups() -> None:
    z = torch.arange(65536)
    real = torch.exp2(30 - z.double() / OCTAVE)
    show("exp2_negative", relative=float(((exp2_negative(z) - real) / real).abs().max()))
    v = torch.cat([torch.arange(1, 2**18), torch.randint(1, 2**62, (10**6,))])
    show("log2, in 2^-16", max=float((log2(v) - OCTAVE * torch.log2(v.double())).abs().max()))
    root, half = reciprocal_root(v)
    real = v.double().rsqrt()
    found = root.double() * torch.exp2(-45.0 - half.double())
    show("reciprocal_root", relative=float((found / real - 1).abs().max()))


def grouped(zero: torch.Tensor, multiple: torch.Tensor, group: torch.Tensor, base: float) -> QuantizedOperand:
    """Channels of 8 bits, zero and multiple (1, G)."""
    operand = Operand(Role.LINEAR, 8, False)
    return QuantizedOperand(operand, Dimension.CHANNEL, group, one(base), multiple, zero)


def codes_of(x: torch.Tensor, plan: QuantizedOperand, input_scale: float) -> torch.Tensor:
    """What `dgqc::quantize` gives, as int64."""
    tables = quantizer(input_scale / plan.scale, plan.zero)
    multiplier, offset, shift = (table[0, plan.group] for table in tables)
    return ((x.to(torch.int64) * multiplier + offset) >> shift).clamp(0, 255)


def formula_of(x: torch.Tensor, plan: QuantizedOperand, input_scale: float) -> torch.Tensor:
    """DGQ eq. 1 in float64."""
    real = x.double() * input_scale / plan.scale[0, plan.group]
    return (torch.floor(real + 0.5) + plan.zero[0, plan.group]).clamp(0, 255)


def quantization() -> None:
    """64 random scales; calibrated values use half of int16, as timestep-tables leaves them."""
    x = torch.arange(-16384, 16384)[:, None].to(torch.int16)
    group = torch.arange(64)
    for name, low, high in (("around 0", -16384, 16384), ("far from 0", 12000, 16384)):
        base = (high - low) / 255
        multiple = torch.randint(1000, 2000, (1, 64))
        zero = torch.round(-low / (base * multiple / 1000)).to(torch.int64)
        plan = grouped(zero, multiple, group, base / 1000)
        inside = x[(x[:, 0] >= low) & (x[:, 0] < high)]
        differ = codes_of(inside, plan, 1.0) != formula_of(inside, plan, 1.0)
        show(f"quantize, a range {name}", codes_that_differ=float(differ.double().mean()))


def linear() -> None:
    """320 channels in 8 groups, against float64: with the same codes, and with those of the formula."""
    depth, columns, scale = 320, 64, 0.0005
    multiple, zero = torch.randint(1, 128, (1, 8)), torch.randint(0, 256, (1, 8))
    plan = grouped(zero, multiple, torch.arange(depth) % 8, 0.001)
    real = torch.randn(1, 512, depth) * (127 * 0.001 * multiple[0, plan.group] / 3)
    x = (real / scale).round().clamp(-32768, 32767).to(torch.int16)
    for bits in (8, 4):
        program = OneOp(tuple(x.shape), scale)
        float_weight = torch.randn(columns, depth) * torch.exp2(torch.randn(columns, 1))
        weight = round_to_nearest(float_weight, bits, RangeMethod.MSE)
        program.plans["weight"] = weight
        node = program.constant("weight", torch.zeros(columns, depth))
        dequantized = (weight.codes.double() * weight.scale[:, None]).T
        wanted = [
            plan.scale[0, plan.group] * (codes(x, plan, scale) - plan.zero[0, plan.group]) @ dequantized
            for codes in (codes_of, formula_of)
        ]
        step = float(wanted[1].abs().max()) * 2 / 32767
        operand = program.site(program.sample, "x", plan)
        y = program.lower(aten.linear.default, (operand, node), {}, step)(x, STEP)
        show(f"linear, {bits}-bit weights, the same codes", **errors(y, wanted[0] / step))
        show(f"linear, {bits}-bit weights, the formula's codes", **errors(y, wanted[1] / step))


def bases() -> None:
    """What integer multiples of one base cost against a free scale per group, as noise of the operand."""
    step = torch.exp2(torch.rand(1000, 8, dtype=torch.float64) * 7)
    members = torch.ones(8, dtype=torch.float64)
    for bits in (4, 6, 8):
        base = best_base(step, members, bits)[:, None]
        used = torch.ceil(step / base - 1e-9).clamp(min=1) * base
        ratio = used.square().sum(dim=1) / step.square().sum(dim=1)
        show(
            f"shared base, ratio-bits={bits}, scales over 2^7", decibels=float(10 * torch.log10(ratio).mean())
        )


GATES: dict[str, tuple[Any, dict[str, str], Callable[[torch.Tensor], torch.Tensor]]] = {
    "silu": (aten.silu.default, {}, torch.nn.functional.silu),
    "gelu": (aten.gelu.default, {}, torch.nn.functional.gelu),
    "gelu tanh": (
        aten.gelu.default,
        {"approximate": "tanh"},
        lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
    ),
}


def gates() -> None:
    x = torch.arange(-32768, 32768).to(torch.int16)
    for name, (target, kwargs, real) in GATES.items():
        for reach in (4, 16, 60):
            scale = reach / 32767
            program = OneOp((65536,), scale)
            y = program.lower(target, (program.sample,), kwargs, scale)(x, STEP)
            show(f"{name}, input range +-{reach}", **errors(y, real(x.double() * scale) / scale))


def norms() -> None:
    """Inputs of 320 channels with steps of 1/1000."""
    gamma, beta = 1 + 0.3 * torch.randn(320), 0.3 * torch.randn(320)
    affine = (gamma.double(), beta.double(), 1e-5)
    for deviation in (5000.0, 300.0, 10.0):
        image = (torch.randn(1, 320, 32, 32) * deviation).round().clamp(-32768, 32767).to(torch.int16)
        rows = image.reshape(1, 1024, 320)
        for target, x, over, real in (
            (
                aten.group_norm.default,
                image,
                32,
                torch.nn.functional.group_norm(image.double() * 1e-3, 32, *affine),
            ),
            (
                aten.layer_norm.default,
                rows,
                [320],
                torch.nn.functional.layer_norm(rows.double() * 1e-3, [320], *affine),
            ),
        ):
            scale = float(real.abs().max()) * 2 / 32767
            program = OneOp(tuple(x.shape), 1e-3)
            weights = (program.constant("gamma", gamma), program.constant("beta", beta))
            y = program.lower(target, (program.sample, over, *weights, 1e-5), {}, scale)(x, STEP)
            name = target.name().removeprefix("aten::")
            show(f"{name}, deviation of {deviation:g} input steps", **errors(y, real / scale))


def scores(keys: int, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits in units of 2^-16 octaves, and their softmax in float64."""
    octaves = torch.randn(1, rows, keys, dtype=torch.float64) * 2 * math.log2(math.e)
    logits = (octaves * OCTAVE).round().to(torch.int32)
    return logits, torch.softmax(logits.double() / OCTAVE * math.log(2), dim=-1)


def softmax() -> None:
    for keys, rows in ((77, 1024), (1024, 256), (4096, 64)):
        logits, real = scores(keys, rows)
        for granularity in ("row", "tensor"):
            codes, mantissa, exponent, _ = dgqc.softmax_log2(logits, 15, granularity, False)
            s = real.amax(dim=-1, keepdim=True) if granularity == "row" else real.amax()
            wanted = torch.floor(-torch.log2(real / s) + 0.5).clamp(0, 15)
            found = mantissa.double() * 2.0**-15 * torch.exp2(-exponent.double())
            show(
                f"softmax_log2, {keys} keys, scale={granularity}",
                codes_that_differ=float((codes.double() != wanted).double().mean()),
                scale_error=float((found / s - 1).abs().max()),
            )


def attend() -> None:
    """Values of 8 bits; errors relative to the largest output."""
    for keys, rows in ((77, 1024), (4096, 64)):
        logits, real = scores(keys, rows)
        codes, mantissa, exponent, first = dgqc.softmax_log2(logits, 15, "row", False)
        values = torch.randint(0, 256, (1, keys, 40), dtype=torch.uint8)
        centered = values.double() - 128
        s = real.amax(dim=-1, keepdim=True)
        rounded = s * torch.exp2(-torch.floor(-torch.log2(real / s) + 0.5).clamp(0, 15)) @ centered
        exact = real @ centered
        step = float(rounded.abs().max()) * 2 / 32767
        factor, shift = multiplier(one(1 / step / 2**15), 30)
        zero, multiple = (torch.tensor([[number]], dtype=torch.int32) for number in (128, 1))
        group = torch.zeros(40, dtype=torch.uint8)
        shares = torch.tensor([2 ** (15 - code) for code in range(16)], dtype=torch.int32)
        probabilities = (codes, mantissa, exponent, first, False, shares, 15)
        y = dgqc.attend(*probabilities, values, STEP, zero, multiple, group, 2, factor, shift)
        largest = float(exact.abs().max())
        show(
            f"attend, {keys} keys, relative",
            to_log2_quantized=float((y * step - rounded).abs().max()) / largest,
            to_exact_softmax=float((y * step - exact).abs().max()) / largest,
        )


if __name__ == "__main__":
    main()
