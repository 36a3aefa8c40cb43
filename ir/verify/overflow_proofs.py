"""Rules that prove, from an op's constants, that its arithmetic can't overflow."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx

from ..arithmetic.accumulators import WeightSums, accumulator, centered_codes
from ..arithmetic.intervals import Interval, below
from ..nodes import argument, arguments
from . import bounds
from .checks import Problem, Problems, VerificationScope

dgqc = torch.ops.dgqc


def quantize_bound(node: fx.Node, scope: VerificationScope) -> Problems:
    """|x * multiplier + offset| < 2^31."""
    tables = _tensors(node, scope)
    found = bounds.quantize_magnitude(tables["multiplier"], tables["offset"])
    yield from _below(found, bounds.QUANTIZE_LIMIT, "|x * multiplier + offset|", "lower the shift")


def linear_bound(node: fx.Node, scope: VerificationScope) -> Problems:
    """Of `dgqc::linear`."""
    named, tables = arguments(node), _tensors(node, scope)
    rank = scope.values[named["x"]].dim()
    along = named["axis"] % rank == rank - 1
    yield from _requantized(_operand(named["x"], tables, scope), tables, along)


def convolution_bound(node: fx.Node, scope: VerificationScope) -> Problems:
    """Of `dgqc::conv2d`: zeros of the padding count as 0."""
    tables = _tensors(node, scope)
    operand = _operand(arguments(node)["x"], tables, scope).with_zero()
    yield from _requantized(operand, tables, True)


def pixel_convolution_bound(node: fx.Node, scope: VerificationScope) -> Problems:
    """Of `dgqc::conv2d_pixel`: it quantizes by itself."""
    named, tables = arguments(node), _tensors(node, scope)
    found = bounds.quantize_magnitude(tables["quantize_multiplier"], tables["quantize_offset"])
    yield from _below(found, bounds.QUANTIZE_LIMIT, "|x * multiplier + offset|", "lower the shift")
    operand = centered_codes((0, 2 ** named["bits"] - 1), tables["zero"], tables["multiple"])
    yield from _requantized(operand, tables, False)


def depthwise_bound(node: fx.Node, scope: VerificationScope) -> Problems:
    """Of `dgqc::depthwise_conv2d`: 16-bit values times 16-bit weights."""
    tables = _tensors(node, scope)
    largest = 2**15 * tables["taps"].to(torch.int64).abs().sum(dim=(0, 1))[None]
    yield from _carried(largest.double())
    epilogue = [tables[name] for name in ("column", "factor", "bias", "bias_factor", "bias_shift")]
    product = bounds.requantized_magnitude(Interval(-largest, largest), *epilogue)
    yield from _below(product, bounds.PRODUCT_LIMIT, "|accumulator * m + b|", "fewer factor bits")


def matmul_bound(node: fx.Node, scope: VerificationScope) -> Problems:
    """Of `dgqc::matmul`."""
    named, tables = arguments(node), _tensors(node, scope)
    depth = int(scope.values[named["a"]].shape[-1])
    sides = []
    for side in ("a", "b"):
        rank = scope.values[named[side]].dim()
        operand = _operand(named[side], tables, scope, f"{side}_")
        along = named[f"{side}_axis"] % rank == rank - 1
        largest = operand.absolute_maximum.double()
        sides.append(bounds.per_index(largest, tables[f"{side}_group"], along, depth))
    found = bounds.product_magnitude(*sides)
    yield from _carried(found)
    yield from _below(
        found * tables["factor"], bounds.PRODUCT_LIMIT, "|accumulator * factor|", "fewer factor bits"
    )
    if named["width"] not in (16, 32):
        yield Problem(f"width={named['width']}", "16 or 32", "a pass let a number through unchecked")


def attend_bound(node: fx.Node, scope: VerificationScope) -> Problems:
    """Of `dgqc::attend`."""
    named, tables = arguments(node), _tensors(node, scope)
    weights, fraction, count = (
        tables["weights"],
        named["fraction"],
        int(scope.values[named["codes"]].shape[-1]),
    )
    codes = scope.value_range(named["codes"])
    if len(weights) <= codes[1]:
        yield Problem(
            f"{len(weights)} weights", f"{codes[1] + 1}, one for each code", "bits and table don't match"
        )
        return
    largest = _operand(named["values"], tables, scope).absolute_maximum.double().amax(dim=1)
    probability = float(weights.abs().max()) * 2.0**-fraction
    total = count * probability * largest
    yield from _carried(total * 2.0**fraction)
    yield from _below(
        total * 2.0 ** (15 + min(fraction, 15)),
        bounds.PRODUCT_LIMIT,
        "|sum * scale|",
        "fewer keys or smaller multiples",
    )
    kind = _coding(named, weights, fraction)
    whole = bounds.probability_sum(kind, count, codes[1] + 1) if kind else count * probability + 1
    mix = 2.0**15 * largest * whole
    yield from _below(mix * tables["factor"], bounds.PRODUCT_LIMIT, "|mix * factor|", "fewer factor bits")


def norm_bound(node: fx.Node, scope: VerificationScope) -> Problems:
    """Of the norms: the sum of squares fits."""
    named, tables = arguments(node), _tensors(node, scope)
    shape = scope.values[named["x"]].shape
    positions = named.get("positions", shape[1:-1].numel())
    count = positions * shape[-1] // named["groups"] if "groups" in named else int(shape[-1])
    found = bounds.norm_energy(count, tables["epsilon"])
    yield from _below(found, bounds.PRODUCT_LIMIT, "the sum of squares", "normalize fewer values at once")


def _operand(
    node: fx.Node, tables: dict[str, torch.Tensor], scope: VerificationScope, prefix: str = ""
) -> Interval:
    """What an operand's values, multiple * (code - zero), lie between: (T, G)."""
    return centered_codes(scope.value_range(node), tables[f"{prefix}zero"], tables[f"{prefix}multiple"])


def _requantized(operand: Interval, tables: dict[str, torch.Tensor], along: bool) -> Problems:
    index = tables["group"] if along else None
    found = accumulator(operand, WeightSums.of(tables["weight"], index, tables["zero"].shape[1]), along)
    yield from _carried(found.partial)
    epilogue = [tables[name] for name in ("column", "factor", "bias", "bias_factor", "bias_shift")]
    product = bounds.requantized_magnitude(found.reached, *epilogue)
    yield from _below(product, bounds.PRODUCT_LIMIT, "|accumulator * m + b|", "fewer factor bits")


def _coding(named: dict[str, Any], weights: torch.Tensor, fraction: int) -> str:
    """How an attention's whole is split into codes: "log2", "uniform", or "" where that isn't certain."""
    parts = [named[name] for name in ("codes", "mantissa", "exponent", "first")]
    if any(part.target is not operator.getitem for part in parts):
        return ""
    if [argument(part, "index") for part in parts] != [0, 1, 2, 3]:
        return ""
    sources = {argument(part, "source") for part in parts}
    if len(sources) > 1:
        return ""
    probabilities = weights.to(torch.float64) * 2.0**-fraction
    code = torch.arange(len(weights), dtype=torch.float64)
    softmax = sources.pop().target
    if softmax is dgqc.softmax_log2.default:
        return "log2" if bool((probabilities <= torch.exp2(-code)).all()) else ""
    if softmax in (dgqc.softmax_uniform.default, dgqc.softmax_static.default):
        return "uniform" if bool((probabilities <= code).all()) else ""
    return ""


def _tensors(node: fx.Node, scope: VerificationScope) -> dict[str, torch.Tensor]:
    return {
        name: scope.tensor(value)
        for name, value in arguments(node).items()
        if isinstance(value, fx.Node) and value.op == "get_attr"
    }


def _carried(found: torch.Tensor) -> Problems:
    yield from _below(found, bounds.CARRIER_LIMIT, "|accumulator|", "smaller multiples or fewer channels")


def _below(found: torch.Tensor, limit: float, what: str, remedy: str) -> Problems:
    if not below(found, limit):
        yield Problem(
            f"{what} can reach {float(found.max()):.4g}",
            f"less than 2^{int(torch.log2(torch.tensor(limit)))}",
            f"too wide a scale or multiplier for these constants ({remedy})",
        )
