"""Functions of one variable: a table of parabolas for each call."""

from __future__ import annotations

import ast

import torch
from torch import fx

from ...ir.arithmetic.fixed_point import bits_for, multiplier
from ...ir.arithmetic.lookup import ACTIVATION_PIECES, activation_table
from ...ir.arithmetic.pieces import parabolas
from ...ir.formula import formula, function_of, parsed
from ..graph.edit import dgqc
from .builder import IntegerGraphBuilder
from .gates import Gate, gate_of
from .registry import lowers
from .values import LoweredValue, Scaled

INFINITY = float("inf")
COARSEST = 2.0**-6
"""Steps of a value, in a gate's range, beyond which its table has no place for them."""
Clamped = tuple[str, float, float]
"""A formula without its outermost clamp, and the clamp's ends."""


@lowers(dgqc.function.default)
def lower_function(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """`dgqc::activation` for what is a gate, else `dgqc::piecewise`.

    A clamp around all of it clamps the integers, so that its corners stay corners.
    """
    value, scale = builder.scaled(node.args[0]), builder.output_scale(node)
    gate = gate_of(str(node.args[1]))
    if gate is not None and float(value.scale.max()) < COARSEST * gate.end:
        return lower_gate(builder, node, value, gate)
    inner, low, high = without_clamp(str(node.args[1]))
    function = function_of(inner)
    calls = zip(value.scale.tolist(), scale.tolist(), strict=True)
    table = torch.stack([parabolas(function, before, after) for before, after in calls])
    ends = {
        "table": table,
        "low": torch.round(low / scale).clamp(-32768, 32767),
        "high": torch.round(high / scale).clamp(-32768, 32767),
    }
    constants = [builder.table(f"{node.name}.{what}", one) for what, one in ends.items()]
    args = (value.node, builder.step, *constants)
    return Scaled(builder.call(dgqc.piecewise.default, args, node), scale, value.layout)


def lower_gate(builder: IntegerGraphBuilder, node: fx.Node, value: Scaled, gate: Gate) -> Scaled:
    """`dgqc::activation` with the gate's own table."""
    scale = builder.output_scale(node)
    table = builder.constant(f"{node.name}.table", activation_table(gate.below, gate.end))
    place, place_shift = multiplier(value.scale * ACTIVATION_PIECES * 8192 / gate.end, 16)
    factor, shift = multiplier(gate.total * value.scale / scale / 65536, bits_for(2**31))
    tables = {"index_factor": place, "index_shift": place_shift, "factor": factor, "shift": shift}
    constants = [builder.table(f"{node.name}.{what}", one) for what, one in tables.items()]
    args = (value.node, builder.step, table, *constants)
    return Scaled(builder.call(dgqc.activation.default, args, node), scale, value.layout)


def without_clamp(text: str) -> Clamped:
    """A formula's argument where all of it is clamped, by whatever name, and between what."""
    tree = parsed(text)
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name) or tree.keywords:
        return text, -INFINITY, INFINITY
    inner, *numbers = (ast.unparse(part) for part in tree.args)
    ends = [INFINITY if number == "None" else float(number) for number in numbers if _is_number(number)]
    name = tree.func.id
    if name == "relu":
        return inner, 0.0, INFINITY
    if name == "relu6":
        return inner, 0.0, 6.0
    if name == "hardsigmoid":
        return formula("add", formula("div", inner, 6.0), 0.5), 0.0, 1.0
    if name == "hardtanh":
        return inner, ends[0] if ends else -1.0, ends[1] if len(ends) > 1 else 1.0
    if name == "clamp_min" and len(ends) == 1:
        return inner, ends[0], INFINITY
    if name == "clamp_max" and len(ends) == 1:
        return inner, -INFINITY, ends[0]
    if name == "clamp" and len(ends) == len(numbers) > 0:
        low = -INFINITY if numbers[0] == "None" else ends[0]
        return inner, low, ends[1] if len(ends) > 1 else INFINITY
    return text, -INFINITY, INFINITY


def _is_number(text: str) -> bool:
    try:
        float("inf" if text == "None" else text)
    except ValueError:
        return False
    return True
