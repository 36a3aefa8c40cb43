"""What is added to attention's scores: a mask or a bias."""

from __future__ import annotations

import math

import torch
from torch import fx

from ...ir.arithmetic.fixed_point import multiplier
from ..graph.edit import dgqc, shape
from .attention import mixed_by_softmax
from .builder import IntegerGraphBuilder
from .layout import plain
from .values import Logits, LoweredValue

OCTAVE = math.log2(math.e) * 65536
"""Units of logits in one."""
FARTHEST = 2**30
"""Constants are cut off at 2^14 octaves: a score that far below others gets nothing, whatever it was."""


def add_to_logits(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """`dgqc::add_logits`; one number for all of them changes no probability, and goes."""
    sides = list(node.args[:2])
    scores = next(a for a in sides if isinstance(a, fx.Node) and isinstance(builder.values.get(a), Logits))
    logits = builder.values[scores]
    assert isinstance(logits, Logits)
    bias = sides[1 - sides.index(scores)]
    if not isinstance(bias, fx.Node):
        return logits
    # What the sum is multiplied by on its way to softmax, its parts are.
    unit = (mixed_by_softmax(node) or 1.0) * OCTAVE
    if bias.op == "get_attr":
        codes = torch.round(builder.weight(bias).double() * unit).clamp(-FARTHEST, FARTHEST)
        constant = builder.table(f"{node.name}.bias", codes)
        factor, shift = (torch.full((builder.calls,), number) for number in (2, 1))
        value = constant
    else:
        scaled = builder.scaled(bias, plain(len(shape(bias))))
        value = scaled.node
        factor, shift = multiplier(scaled.scale * unit, 30)
    tables = (builder.table(f"{node.name}.factor", factor), builder.table(f"{node.name}.shift", shift))
    return Logits(builder.call(dgqc.add_logits.default, (logits.node, value, builder.step, *tables), node))
