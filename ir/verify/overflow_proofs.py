"""Rules that prove, from an op's constants, that its arithmetic can't overflow."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx

from . import bounds
from .bounds import Accumulator, Interval, WeightSums
from .checks import Problem, Problems, Scope, arguments

aten = torch.ops.aten
dgqc = torch.ops.dgqc
VIEWS = (
    aten.reshape.default,
    aten.permute.default,
    aten.slice.Tensor,
    dgqc.gather.default,
    dgqc.upsample_nearest.default,
)
"""Ops that move the values of their first argument and change none."""
INT16 = (-32768, 32767)


def quantize_bound(node: fx.Node, scope: Scope) -> Problems:
    """|x * multiplier + offset| < 2^31."""
    tables = _tensors(node, scope)
    found = bounds.quantize_magnitude(tables["multiplier"], tables["offset"])
    yield from _below(found, bounds.QUANTIZE_LIMIT, "|x * multiplier + offset|", "lower the shift")


def linear_bound(node: fx.Node, scope: Scope) -> Problems:
    """Of `dgqc::linear`."""
    named, tables = arguments(node), _tensors(node, scope)
    rank = scope.values[named["x"]].dim()
    along = named["axis"] % rank == rank - 1
    yield from _requantized(_operand(named["x"], tables, scope), tables, along)


def convolution_bound(node: fx.Node, scope: Scope) -> Problems:
    """Of `dgqc::conv2d`: zeros of the padding count as 0."""
    tables = _tensors(node, scope)
    operand = _operand(arguments(node)["x"], tables, scope).with_zero()
    yield from _requantized(operand, tables, True)


def pixel_convolution_bound(node: fx.Node, scope: Scope) -> Problems:
    """Of `dgqc::conv2d_pixel`: it quantizes by itself."""
    named, tables = arguments(node), _tensors(node, scope)
    found = bounds.quantize_magnitude(tables["quantize_multiplier"], tables["quantize_offset"])
    yield from _below(found, bounds.QUANTIZE_LIMIT, "|x * multiplier + offset|", "lower the shift")
    operand = bounds.centered_range((0, 2 ** named["bits"] - 1), tables["zero"], tables["multiple"])
    yield from _requantized(operand, tables, False)


def matmul_bound(node: fx.Node, scope: Scope) -> Problems:
    """Of `dgqc::matmul`."""
    named, tables = arguments(node), _tensors(node, scope)
    depth = int(scope.values[named["a"]].shape[-1])
    sides = []
    for side in ("a", "b"):
        rank = scope.values[named[side]].dim()
        codes = code_range(named[side], scope)
        reach = bounds.centered_range(codes, tables[f"{side}_zero"], tables[f"{side}_multiple"]).magnitude
        along = named[f"{side}_axis"] % rank == rank - 1
        sides.append(bounds.per_index(reach, tables[f"{side}_group"], along, depth))
    found = bounds.product_magnitude(*sides)
    yield from _carried(found)
    yield from _below(
        found * tables["factor"], bounds.PRODUCT_LIMIT, "|accumulator * factor|", "fewer factor bits"
    )
    if named["width"] not in (16, 32):
        yield Problem(f"width={named['width']}", "16 or 32", "a pass let a number through unchecked")


def attend_bound(node: fx.Node, scope: Scope) -> Problems:
    """Of `dgqc::attend`."""
    named, tables = arguments(node), _tensors(node, scope)
    weights, fraction, count = (
        tables["weights"],
        named["fraction"],
        int(scope.values[named["codes"]].shape[-1]),
    )
    codes = code_range(named["codes"], scope)
    if len(weights) <= codes[1]:
        yield Problem(
            f"{len(weights)} weights", f"{codes[1] + 1}, one for each code", "bits and table don't match"
        )
        return
    reach = bounds.centered_range(
        code_range(named["values"], scope), tables["zero"], tables["multiple"]
    ).magnitude
    largest = reach.amax(dim=1)
    share = float(weights.abs().max()) * 2.0**-fraction
    total = count * share * largest
    yield from _carried(total * 2.0**fraction)
    yield from _below(
        total * 2.0 ** (15 + min(fraction, 15)),
        bounds.PRODUCT_LIMIT,
        "|sum * scale|",
        "fewer keys or smaller multiples",
    )
    kind = _coding(named, weights, fraction)
    shares = bounds.share_sum(kind, count, codes[1] + 1) if kind else count * share + 1
    mix = 2.0**15 * largest * shares
    yield from _below(mix * tables["factor"], bounds.PRODUCT_LIMIT, "|mix * factor|", "fewer factor bits")


def norm_bound(node: fx.Node, scope: Scope) -> Problems:
    """Of the norms: the sum of squares fits."""
    named, tables = arguments(node), _tensors(node, scope)
    shape = scope.values[named["x"]].shape
    count = shape.numel() // named["groups"] if "groups" in named else int(shape[-1])
    found = bounds.norm_energy(count, tables["epsilon"])
    yield from _below(found, bounds.PRODUCT_LIMIT, "the sum of squares", "normalize fewer values at once")


def code_range(node: fx.Node, scope: Scope) -> tuple[int, int]:
    """The smallest and largest value that can stand in a tensor, from the op that made it."""
    if scope.values[node].dtype is torch.int16:
        return INT16
    while node.target in VIEWS:
        node = node.all_input_nodes[0]
    if node.target is aten.cat.default:
        parts = [code_range(part, scope) for part in arguments(node)["tensors"]]
        return min(low for low, _ in parts), max(high for _, high in parts)
    if node.target is operator.getitem and isinstance(node.args[0], fx.Node):
        node = node.args[0]
    named: dict[str, Any] = arguments(node) if isinstance(node.target, torch._ops.OpOverload) else {}
    if node.target is dgqc.softmax_log2.default:
        return 0, int(named["limit"])
    return (0, 2 ** int(named["bits"]) - 1) if "bits" in named else (0, 255)


def _operand(node: fx.Node, tables: dict[str, torch.Tensor], scope: Scope) -> Interval:
    return bounds.centered_range(code_range(node, scope), tables["zero"], tables["multiple"])


def _requantized(operand: Interval, tables: dict[str, torch.Tensor], along: bool) -> Problems:
    found: Accumulator
    if along:
        sums = WeightSums.of(tables["weight"], tables["group"], tables["zero"].shape[1])
        found = bounds.channel_accumulator(operand, sums)
    else:
        one_group = torch.zeros(tables["weight"].shape[-1], dtype=torch.uint8)
        found = bounds.pixel_accumulator(operand, WeightSums.of(tables["weight"], one_group, 1))
    yield from _carried(found.partial)
    epilogue = [tables[name] for name in ("column", "factor", "bias", "bias_factor", "bias_shift")]
    product = bounds.requantized_magnitude(found.reached, *epilogue)
    yield from _below(product, bounds.PRODUCT_LIMIT, "|accumulator * m + b|", "fewer factor bits")


def _coding(named: dict[str, Any], weights: torch.Tensor, fraction: int) -> str:
    """How codes share out an attention's whole: "log2", "uniform", or "" where that isn't certain."""
    parts = [named[name] for name in ("codes", "mantissa", "exponent", "first")]
    if (
        any(part.target is not operator.getitem for part in parts)
        or len({part.args[0] for part in parts}) != 1
    ):
        return ""
    if [part.args[1] for part in parts] != [0, 1, 2, 3]:
        return ""
    shares = weights.to(torch.float64) * 2.0**-fraction
    code = torch.arange(len(weights), dtype=torch.float64)
    if parts[0].args[0].target is dgqc.softmax_log2.default:
        return "log2" if bool((shares <= torch.exp2(-code)).all()) else ""
    return "uniform" if bool((shares <= code).all()) else ""


def _tensors(node: fx.Node, scope: Scope) -> dict[str, torch.Tensor]:
    return {
        name: scope.tensor(value)
        for name, value in arguments(node).items()
        if isinstance(value, fx.Node) and value.op == "get_attr"
    }


def _carried(found: torch.Tensor) -> Problems:
    yield from _below(found, bounds.CARRIER_LIMIT, "|accumulator|", "smaller multiples or fewer channels")


def _below(found: torch.Tensor, limit: float, what: str, remedy: str) -> Problems:
    largest = float(found.max()) if found.numel() else 0.0
    if not largest < limit * bounds.CERTAIN:
        yield Problem(
            f"{what} can reach {largest:.4g}",
            f"less than 2^{int(torch.log2(torch.tensor(limit)))}",
            f"too wide a scale or multiplier for these constants ({remedy})",
        )
