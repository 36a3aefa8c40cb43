"""What is computed of each row of the last axis: RMSNorm, means, softmax outside of attention."""

from __future__ import annotations

import math

import torch
from torch import fx

from ...ir.arithmetic.fixed_point import bits_for, multiplier, normalized
from ..graph.edit import aten, dgqc, shape
from .builder import IntegerGraphBuilder
from .layout import Layout, plain
from .norms import LARGEST_SHIFT
from .registry import lowers
from .values import LoweredValue, Scaled


@lowers(aten.rms_norm.default)
def lower_rms_norm(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """`dgqc::rms_norm`."""
    source, _, weight, epsilon = node.args
    value, scale = builder.scaled(source, plain(len(shape(node)))), builder.output_scale(node)
    count = shape(node)[-1]
    gamma, unit = normalized(builder.weight(weight).double())
    factor, shift = multiplier(unit * 2.0**31 * math.sqrt(count) / scale, 31, LARGEST_SHIFT)
    energy = torch.round(float(epsilon) * count * 256 / value.scale**2).clamp(1, 2.0**60)  # type: ignore[arg-type]
    tables = {"gamma": gamma, "gamma_factor": factor, "gamma_shift": shift}
    constants = [builder.table(f"{node.name}.{what}", one) for what, one in tables.items()]
    constants.append(builder.constant(f"{node.name}.epsilon", energy.to(torch.int64)))
    args = (value.node, builder.step, *constants)
    return Scaled(builder.call(dgqc.rms_norm.default, args, node), scale, value.layout)


@lowers(aten.mean.dim)
def lower_mean(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """`dgqc::mean`, in a scale of its own: means are smaller than what they are of."""
    source = node.args[0]
    assert isinstance(source, fx.Node)
    value, scale = builder.scaled(source, plain(len(shape(node)))), builder.output_scale(node)
    count = shape(source)[-1]
    factor, shift = multiplier(value.scale / scale / count, bits_for(2**15 * count))
    tables = (builder.table(f"{node.name}.factor", factor), builder.table(f"{node.name}.shift", shift))
    result = builder.call(dgqc.mean.default, (value.node, builder.step, *tables), node)
    return Scaled(result, scale, Layout.plain(shape(node)))


def lower_shares(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """`dgqc::softmax`, where softmax is not attention's."""
    value, scale = builder.scaled(node.args[0], plain(len(shape(node)))), builder.output_scale(node)
    octave_factor, octave_shift = multiplier(value.scale * math.log2(math.e) * 65536, 31)
    factor, shift = multiplier(1 / scale / 2.0**30, 31)
    tables = {
        "octave_factor": octave_factor,
        "octave_shift": octave_shift,
        "factor": factor,
        "shift": shift,
    }
    constants = [builder.table(f"{node.name}.{what}", one) for what, one in tables.items()]
    args = (value.node, builder.step, *constants)
    return Scaled(builder.call(dgqc.softmax.default, args, node), scale, value.layout)
