"""How many bytes the integers of a program take, counted or estimated."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from ..ir.errors import DgqcError
from ..ir.ops.captured import ProductKind
from ..ir.program import Program
from ..ir.storage.narrow_codes import BYTE, stored_bits
from ..passes.widths.every_width import WEIGHTS
from ..passes.widths.forms import WIDE
from .costs import Costs
from .widths import Widths

MB = 10**6
STATIC = frozenset({"column", "bias", "gamma", "beta", "group", "a_group", "b_group", "order", "weights"})
"""Arguments of `dgqc::` ops that hold one value per column, channel or code, whatever the step."""
OPERAND_BYTES = 20
"""Per group and call: multiplier, offset, shift, zero, multiple, 4 bytes each."""
PRODUCT_BYTES = 16
"""Per product and call: factor, shift, bias_factor, bias_shift, 4 bytes each."""


@dataclass(frozen=True)
class Sizes:
    """Bytes of a program's constants.

    weights: packed at their width. tables: everything indexed by the step, quantizers and multipliers.
    time_tables: results of the timestep's network, by step. columns: all the rest, one value per output
    channel or so.
    """

    weights: int
    tables: int
    time_tables: int
    columns: int

    @property
    def total(self) -> int:
        return self.weights + self.tables + self.time_tables + self.columns


def count_sizes(program: Program) -> Sizes:
    """Counts the constants of an integer-level program."""
    widths: Mapping[str, int] = program.report.get("weight-bits", {})
    found = {"weights": 0, "tables": 0, "time_tables": 0, "columns": 0}
    for node in program.graph.graph.nodes:
        if node.op == "get_attr":
            value: torch.Tensor = operator.attrgetter(str(node.target))(program.graph)
            role = _role(node)
            bits = widths.get(str(node.target), 8) if role == "weights" else 8 * value.element_size()
            found[role] += (value.numel() * bits + 7) // 8
    return Sizes(**found)


def estimate_sizes(costs: Costs, widths: Widths, steps: int) -> Sizes:
    """What `count_sizes` will find after compiling, from shapes; norms and residuals are left out.

    Raises DgqcError where weights have a budget that they can't keep to.
    """
    weights = tables = columns = 0
    for product in costs.products:
        if product.temporal:
            continue
        groups = min(widths.groups, product.channels)
        operands = 2 if product.kind is ProductKind.ATTENTION else 1
        bits = widths.edge_bits if product.edge else widths.weight_bits
        weights += product.weights * stored_bits(bits) // 8
        tables += steps * (operands * groups * OPERAND_BYTES + PRODUCT_BYTES)
        # Scale and bias of a column, and the group of each channel.
        columns += 8 * product.columns + operands * product.channels
    if widths.weight_megabytes:
        weights = _within(widths.weight_megabytes, costs)
    return Sizes(weights, tables, 2 * steps * costs.temporal_values, columns)


def _within(megabytes: float, costs: Costs) -> int:
    """Bytes of weights of 2 to 16 bits that fill a budget as far as they can."""
    count = sum(product.weights for product in costs.products if not product.temporal)
    least, most, asked = count * WEIGHTS[0] // BYTE, count * WIDE // BYTE, round(megabytes * MB)
    if asked < least:
        raise DgqcError(
            f"{megabytes:g} MB are too few for {count / MB:.4g} million weights, which take "
            f"{least / MB:.4g} MB with {WEIGHTS[0]} bits each; give as much or more."
        )
    return min(asked, most)


def _role(node: fx.Node) -> str:
    user = next(iter(node.users))
    if not isinstance(user.target, torch._ops.OpOverload):
        return "columns"
    names = [argument.name for argument in user.target._schema.arguments]
    values: list[Any] = list(user.args)
    name = next((n for n, v in zip(names, values, strict=False) if v is node), "")
    op = user.target.overloadpacket.__name__
    if name == "weight":
        return "weights"
    if name == "table":
        return "time_tables" if op == "at_step" else "columns"
    per_step = user.target.namespace == "dgqc" and name not in STATIC
    return "tables" if per_step and _int32_or_wider(node) else "columns"


def _int32_or_wider(node: fx.Node) -> bool:
    value = node.meta.get("val")
    return not isinstance(value, torch.Tensor) or value.element_size() >= 4
