"""What a plan must look like beside the value it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import torch

from ..plans import (
    CachedValue,
    Correction,
    Dimension,
    GroupedOperand,
    ObservedOperand,
    Operand,
    PlacedOperand,
    Plan,
    QuantizedOperand,
    QuantizedProbabilities,
    Ranges,
    Role,
    Variation,
    Weight,
)
from .checks import Problem, Problems, type_name

STATIC = ("group", "exponent")
"""Tensors of plans that are the same at all calls."""


def plan_problems(plan: Plan, value: torch.Tensor, calls: int) -> Problems:
    """Every problem of a site's plan. value: the site's value on the meta device. calls: T."""
    bits = getattr(_operand(plan) or plan, "bits", 8)
    if not 1 <= bits <= 8:
        yield Problem(f"{bits} bits", "1 to 8", "an option was passed on unchecked")
    for name, tensor in per_call_tensors(plan):
        if tensor.dim() == 0 or tensor.shape[0] != calls:
            yield Problem(
                f"{name} of {type_name(tensor)}", f"{calls} rows", "it was made for another schedule"
            )
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            yield Problem(
                f"{name} with a value that isn't finite", "finite numbers", "the model overflows here"
            )
    yield from _sizes(plan, value)
    if isinstance(plan, GroupedOperand | QuantizedOperand):
        yield from _groups(plan)
    if isinstance(plan, QuantizedOperand) and int(plan.multiple.min()) < 1:
        yield Problem(f"multiple {int(plan.multiple.min())}", "1 or more", "a group has no scale")
    if isinstance(plan, Correction):
        yield from _corrected_channels(plan, value, 1)
    if isinstance(plan, CachedValue):
        yield from _corrected_channels(plan, value, plan.axis)
    if isinstance(plan, QuantizedProbabilities) and (plan.granularity is None) != (plan.scale is not None):
        yield Problem("both or neither of granularity and scale", "exactly one", "a plan was built by hand")


def _corrected_channels(plan: Correction | CachedValue, value: torch.Tensor, axis: int) -> Problems:
    for name, table in (("factor", plan.factor), ("offset", plan.offset)):
        if table.shape[1:] != value.shape[axis : axis + 1]:
            yield Problem(
                f"{name} of {type_name(table)}",
                f"{value.shape[axis]} channels, as the value has",
                "the layout changed after planning",
            )


def weight_problems(name: str, plan: Weight, weight: torch.Tensor) -> Problems:
    """Every problem of a weight's plan. weight: the constant that it quantizes."""
    if plan.codes.dtype is not torch.int8 or plan.codes.shape != weight.shape:
        yield Problem(
            f"codes of {type_name(plan.codes)} for {name}",
            f"int8 {tuple(weight.shape)}, the weight's shape",
            "the weight was replaced after it was quantized",
        )
    limit = 2 ** (plan.bits - 1)
    low, high = int(plan.codes.min()), int(plan.codes.max())
    if low < -limit or high >= limit:
        yield Problem(
            f"codes {low} to {high} for {name}", f"{-limit} to {limit - 1}", "bits and codes don't match"
        )
    if plan.scale.shape != (weight.shape[0],):
        yield Problem(
            f"scale of {type_name(plan.scale)} for {name}",
            f"({weight.shape[0]},)",
            "channels were permuted apart",
        )


def per_call_tensors(plan: Plan) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors of a plan that have a row per call, with their names."""
    for field in fields(plan):
        part = getattr(plan, field.name)
        if isinstance(part, Ranges | Variation):
            yield from ((f"{field.name}.{item.name}", getattr(part, item.name)) for item in fields(part))
        elif isinstance(part, torch.Tensor) and field.name not in STATIC and not isinstance(plan, Weight):
            yield field.name, part


def _operand(plan: Plan) -> Operand | None:
    return plan if isinstance(plan, Operand) else getattr(plan, "operand", None)


def _sizes(plan: Plan, value: torch.Tensor) -> Problems:
    """Vectors along a dimension have its size. A convolution's pixels are known to its user only."""
    operand, lengths = _operand(plan), []
    if isinstance(plan, ObservedOperand):
        lengths = [
            (Dimension.CHANNEL, plan.channel.low.shape[-1]),
            (Dimension.PIXEL, plan.pixel.low.shape[-1]),
        ]
    elif isinstance(plan, PlacedOperand):
        lengths = [(plan.dimension, plan.ranges.low.shape[-1])]
    elif isinstance(plan, GroupedOperand | QuantizedOperand):
        lengths = [(plan.dimension, len(plan.group))]
    for dimension, found in lengths:
        assert operand is not None
        axis = dimension_axis(operand.role, dimension)
        if axis is not None and value.shape[axis] != found:
            yield Problem(
                f"{found} {dimension}s",
                f"{value.shape[axis]}, as the value has",
                "the layout changed after planning",
            )


def dimension_axis(role: Role, dimension: Dimension) -> int | None:
    """The axis of a site's value that a dimension means; None for a convolution's output positions."""
    if role is Role.CONVOLUTION:
        return 1 if dimension is Dimension.CHANNEL else None
    return -1 if (dimension is Dimension.CHANNEL) != (role is Role.RIGHT) else -2


def _groups(plan: GroupedOperand | QuantizedOperand) -> Problems:
    present = torch.unique(plan.group)
    count = plan.multiple.shape[1] if isinstance(plan, QuantizedOperand) else len(present)
    if not torch.equal(present, torch.arange(count)):
        yield Problem(
            f"groups {present.tolist()}",
            f"every group from 0 to {count - 1}",
            "a group is empty or has no column",
        )
