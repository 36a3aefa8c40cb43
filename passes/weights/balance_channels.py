"""`balance-channels`: weights take up what channels of activations differ by, where that gains much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import fx

from ...ir.devices import CPU
from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.moving import moved
from ...ir.ops.captured import is_layer, weight_readers
from ...ir.plans import ObservedOperand, Plan, Ranges, Role, Variation, Weight, of_all, ratios
from ...ir.program import Program
from ...ir.ranks import shared_out
from ...ir.storage.mapped import let_go
from ..base import Pass
from ..graph.edit import add_constant, call, clean, constant, dgqc, propagate, shape
from ..manager.registry import register_pass
from .balance import ReadOperand, WeightSizes
from .balance_methods import BalanceMethod, best_balance
from .quantize_weights import RangeMethod, round_to_nearest


@register_pass
@dataclass(frozen=True)
class BalanceChannels(Pass):
    """Divides channels of an operand, and multiplies the weights that read them: x W = (x / s) (s W).

    In large models some channels are a thousand or a billion times the others and the weights that read them
    as much smaller: an operand's groups, whose scales differ by 127 at most, round the others away, and a
    weight's row, which has one scale, these. At the integer level it costs nothing: the operand's quantizer
    takes it up, channel by channel. With a[k] what channel k's range is beside the largest, and w[k] the same
    of its weights,

        smooth   s[k] = a[k]^alpha / w[k]^(1 - alpha)        (SmoothQuant; in powers of two)
        dilate   s[k] = min over n of max|W[n]| / max|W[n, k]|    (DilateQuant: no weight's scale grows)
        learned  s = argmin |x W - Q(x / s) Q(s W)|^2 / |x W|^2    (DMQ)

    Deviations. Alpha is the best of four for each layer (the papers': one for all, or a grid on samples).
    Rows are symmetric here, so dilation has one bound for both signs, and as any s it is in steps of
    2^(1/4). DMQ learns on samples; here the error is what ranges and weights foretell, all calls alike in
    the place of focal weights; its powers of two for skips are our groups.

    method: where s comes from. gain: in dB, by how much rounding must get quieter, as ranges and weights
    foretell it; layers that gain less stay as they are.
    """

    method: BalanceMethod = BalanceMethod.SMOOTH
    gain: float = 6.0

    name: ClassVar[str] = "balance-channels"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"observed-ranges", "weights"})

    def __post_init__(self) -> None:
        if self.gain <= 0:
            raise DgqcError(f"balance-channels takes a gain above 0 dB, not {self.gain:g}.")

    def run(self, program: Program) -> Program:
        plans: dict[str, Plan] = dict(program.plans)
        graph = program.graph.graph
        readers = weight_readers(graph)
        sites = [node for node in graph.nodes if _is_balanced(node, plans, readers)]

        def balance_of(site: fx.Node) -> tuple[torch.Tensor, float] | None:
            found = best_balance(_layer(program, site), self.method)
            return None if found is None else (found[0].to(CPU), found[1])

        gains: dict[str, float] = {}
        for site, found in zip(sites, list(shared_out(balance_of, sites)), strict=True):
            if found is not None and found[1] >= self.gain:
                _insert(program.graph, plans, site, found[0])
                gains[str(site.args[1])] = round(found[1], 2)
        clean(program.graph)
        result = replace(program, plans=plans)
        propagate(result)
        return result.with_report(self.name, {"operands": len(sites), "balanced": gains})


def _is_balanced(node: fx.Node, plans: dict[str, Plan], readers: Mapping[str, int]) -> bool:
    """Whether a site is an operand that only layers read, each with a weight of its own."""
    plan = plans.get(str(node.args[1])) if node.target is dgqc.site.default else None
    if not isinstance(plan, ObservedOperand) or plan.operand.role not in (Role.LINEAR, Role.CONVOLUTION):
        return False
    layers: Sequence[fx.Node] = list(node.users)
    return all(
        is_layer(one)
        and isinstance(plans.get(str(one.args[1].target)), Weight)  # type: ignore[union-attr]
        and readers[str(one.args[1].target)] == 1  # type: ignore[union-attr]
        for one in layers
    )


def _layer(program: Program, site: fx.Node) -> ReadOperand:
    plan = program.plans[str(site.args[1])]
    assert isinstance(plan, ObservedOperand)
    weights, bits = [], 8
    for one in site.users:
        name = one.args[1]
        assert isinstance(name, fx.Node)
        own = program.plans[str(name.target)]
        assert isinstance(own, Weight)
        real = constant(program.graph, name).detach()
        weights.append(WeightSizes.of(moved(real)))
        let_go(real)
        bits = min(bits, own.bits)
    ranges = Ranges(moved(plan.channel.low), moved(plan.channel.high))
    return ReadOperand(ranges, plan.operand.bits, weights, bits)


def _insert(module: fx.GraphModule, plans: dict[str, Plan], site: fx.Node, exponent: torch.Tensor) -> None:
    """The site reads its value divided, the layers behind it weights multiplied, rounded anew."""
    name, source = str(site.args[1]), site.args[0]
    plan = plans[name]
    assert isinstance(plan, ObservedOperand)
    assert isinstance(source, fx.Node)
    axis = 1 if plan.operand.role is Role.CONVOLUTION else len(shape(site)) - 1
    ratio = ratios(exponent)
    with module.graph.inserting_before(site):
        by = add_constant(module, f"{name}.balance", exponent)
        node = call(module.graph, dgqc.balance.default, (source, by, axis), site, f"{site.name}_balanced")
    site.update_arg(0, node)
    plans[name] = _divided(plan, ratio)
    for layer in list(site.users):
        weight = layer.args[1]
        assert isinstance(weight, fx.Node)
        old = plans.pop(str(weight.target))
        assert isinstance(old, Weight)
        real = constant(module, weight).detach()
        factors = ratio.reshape(1, -1, *[1] * (real.dim() - 2))
        value = (real.double() * factors).to(real.dtype)
        let_go(real)
        with module.graph.inserting_before(layer):
            balanced = add_constant(module, f"{weight.target}.balanced", value)
        layer.update_arg(1, balanced)
        plans[str(balanced.target)] = round_to_nearest(value, old.bits, RangeMethod.MSE)


def _divided(plan: ObservedOperand, ratio: torch.Tensor) -> ObservedOperand:
    """The plan with its channels' ranges divided. Pixels' can't be told any more: all get that of the whole,
    so that groups lie along channels."""
    pixels, seen = plan.pixel.low.shape[1], plan.channel_variation
    channel = Ranges(*_ends(plan.channel, ratio))
    divided = replace(plan, channel=channel, pixel=Ranges(*of_all(channel, pixels)))
    if seen is None:
        return divided
    variation = Variation(seen.samples, *_ends(seen, ratio))
    whole = Variation(seen.samples, *of_all(variation, pixels))
    return replace(divided, channel_variation=variation, pixel_variation=whole)


def _ends(one: Ranges | Variation, ratio: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each channel, divided."""
    return (one.low.double() / ratio).to(one.low.dtype), (one.high.double() / ratio).to(one.high.dtype)
