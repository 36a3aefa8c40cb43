"""How each product of a bundle's integer graph is computed, in a few words, so that two can be compared."""

from __future__ import annotations

from typing import Any

from torch import fx

from ..ir.nodes import argument, argument_names
from ..ir.ops.integer import OperandArguments, ProductArguments, integer_ops, product_of
from ..ir.program import Program
from ..ir.storage.program_schema import WEIGHT_BITS
from ..passes.graph.edit import constant, module_path

UNCODED = 16
"""Bits of a value that nobody quantizes."""


def layer_plans(program: Program) -> dict[str, str]:
    """By a product's place in the model: `weights of 4 bits, codes of 6 bits in 8 groups of channels`.

    An attention has two products, and so two such texts, with a semicolon between them. A value of 16 bits
    is multiplied byte by byte, in two products that are alike.
    """
    found: dict[str, list[str]] = {}
    for node in program.graph.graph.nodes:
        if (product := product_of(node)) is not None:
            found.setdefault(module_path(node), []).append(_plan(program, node, product))
    return {path: "; ".join(dict.fromkeys(texts)) for path, texts in found.items()}


def _plan(program: Program, node: fx.Node, product: ProductArguments) -> str:
    # An op that quantizes by itself says so in its own arguments.
    sides = [
        _operand(program, node, one, node if product.quantizes else argument(node, one.codes))
        for one in product.operands
    ]
    if product.weight is not None:
        holder = str(argument(node, product.weight).target)
        sides.insert(0, f"weights of {program.report.get(WEIGHT_BITS, {}).get(holder, 8)} bits")
    return ", ".join(sides)


def _operand(program: Program, node: fx.Node, one: OperandArguments, coded: Any) -> str:
    """`codes of 6 bits in 8 groups of channels`. coded: what says how many bits."""
    bits = f"codes of {_bits(coded)} bits"
    multiple = argument(node, one.multiple) if one.multiple in argument_names(node) else None
    if not isinstance(multiple, fx.Node) or multiple.op != "get_attr":
        return bits
    if (groups := constant(program.graph, multiple).shape[-1]) == 1:
        return bits
    axis = argument(node, one.axis) if isinstance(one.axis, str) else one.axis
    last = argument(node, one.codes).meta["val"].dim() - 1
    return f"{bits} in {groups} groups of {'channels' if axis in (-1, last) else 'pixels'}"


def _bits(value: Any) -> int:
    """Of a value, wherever it was moved to since it was quantized."""
    while isinstance(value, fx.Node) and value.op == "call_function":
        record = integer_ops().get(value.target)
        if record is None or "bits" in argument_names(value):
            break
        if record.moves is None:
            return UNCODED
        source = argument(value, record.moves)
        value = source[0] if isinstance(source, list | tuple) else source
    known = isinstance(value, fx.Node) and value.op == "call_function" and "bits" in argument_names(value)
    return int(argument(value, "bits")) if known else UNCODED
