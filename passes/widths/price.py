"""What wider codes cost: bytes of weights, and products that take longer."""

from __future__ import annotations

from collections.abc import Mapping

from torch import fx

from ...ir.ops.captured import is_layer, multiply_adds, products_in
from ...ir.plans import Plan, QuantizedOperand, Weight
from ...ir.program import Program
from ..graph.edit import dgqc

PERCENT = 100


def price(before: Program, after: Program) -> Mapping[str, int | float]:
    """What is widened in `after`, a planned program that was `before`.

    bytes: how many more weights take. sixteen-bit-percent: of the multiply-adds that it had, those of layers
    that read 16-bit values as they are now. added-percent: those that second bytes of weights add.
    """
    whole = max(multiply_adds(before.graph.graph), 1)
    wide = _in_16_bits(after) - _in_16_bits(before)
    added = multiply_adds(after.graph.graph) - whole
    return {
        "bytes": _weight_bytes(after) - _weight_bytes(before),
        "sixteen-bit-percent": round(PERCENT * wide / whole, 1),
        "added-percent": round(PERCENT * added / whole, 1),
    }


def _in_16_bits(program: Program) -> int:
    """Multiply-adds of layers that read no codes."""
    layers = [node for node in program.graph.graph.nodes if is_layer(node)]
    return sum(products_in(layer) for layer in layers if not _reads_codes(layer, program.plans))


def _reads_codes(layer: fx.Node, plans: Mapping[str, Plan]) -> bool:
    read = layer.args[0]
    assert isinstance(read, fx.Node)
    return read.target is dgqc.site.default and isinstance(plans.get(str(read.args[1])), QuantizedOperand)


def _weight_bytes(program: Program) -> int:
    weights = [plan for plan in program.plans.values() if isinstance(plan, Weight)]
    return sum((plan.codes.numel() * plan.bits + 7) // 8 for plan in weights)
