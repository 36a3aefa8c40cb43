"""Which values between products take 20 bits: those whose rounding costs the network's output most."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import fx

from ...ir.calibration import reads
from ...ir.ops.captured import ProductKind, captured_op, product_kind
from ...ir.ops.wide import FINER
from ...ir.plans import Dimension, GroupedOperand, ObservedActivation16, Plan, QuantizedActivation16
from ...ir.program import Program
from ..graph.batches import arguments
from ..graph.edit import dgqc
from ..simulation.pass_back import pass_back
from ..simulation.wide_values import keeps_parts, scales_beside
from .channel_classes import mixes_products


def costs_of_widths(program: Program, calls: list[int]) -> Mapping[str, torch.Tensor]:
    """By site, what a 16-bit value's rounding costs of the output's energy, float64 (forms, calls): as it is,
    and in 20 bits where it can have them. Values upstream of ops without a gradient are missing.

    program: its 16-bit values have scales. One calibration sample of each call tells.
    """
    assert program.calibration is not None
    found: dict[int, Mapping[str, float]] = {}
    for call, batches in reads(program.calibration, calls):
        sample = {name: value[:1] for name, value in next(batches).items()}
        (real,) = arguments(program, sample)
        found[call] = _costs(program, real, call)
    sites = [node for node in program.graph.graph.nodes if node.target is dgqc.site.default]
    tables = {}
    for site in sites:
        name = str(site.args[1])
        if all(name in costs for costs in found.values()):
            now = torch.tensor([found[call][name] for call in calls], dtype=torch.float64)
            forms = [now, now / FINER**2] if can_be_wide(site, program.plans) else [now]
            tables[name] = torch.stack(forms)
    return tables


def tables_of_parts(
    one: Mapping[str, torch.Tensor], each: Mapping[str, torch.Tensor], parts: Collection[frozenset[str]]
) -> Mapping[frozenset[str], torch.Tensor]:
    """What the values of each part cost together, float64 (forms, calls): with one scale, with exponents.
    Values that are of no part have the first form alone.

    one, each: by site, as `costs_of_widths` has them with one scale and with exponents. A value that only
    `one` knows costs nothing with exponents: a concatenation whose parts keep theirs.
    """
    nothing = torch.zeros_like(next(iter(one.values()))[0])
    tables = {
        part: torch.stack(
            [sum((found[name][0] for name in part if name in found), nothing) for found in (one, each)]
        )
        for part in parts
    }
    others = one.keys() - frozenset().union(*parts)
    return tables | {frozenset({name}): one[name][:1] for name in others}


def _costs(program: Program, real: tuple[torch.Tensor, ...], call: int) -> Mapping[str, float]:
    """At a call, by site.

    As in `widths.sensitivity`: with random signs, squares of gradients are on the mean what independent
    errors cost.
    """
    costs: dict[str, float] = {}

    def rounded(site: fx.Node) -> QuantizedActivation16 | None:
        """What is decided on a site whose value is rounded."""
        plan = program.plans.get(str(site.args[1])) if site.target is dgqc.site.default else None
        if not isinstance(plan, QuantizedActivation16) or keeps_parts(plan, _source(site)):
            return None
        return plan

    def told(site: fx.Node, _: torch.Tensor, gradient: torch.Tensor | None) -> None:
        plan = rounded(site)
        if plan is None or gradient is None:
            return
        squares = (scales_beside(plan, _source(site))[call].square() / 12).to(gradient.device)
        costs[str(site.args[1])] = float((gradient.double().square() * squares).sum())

    energy = max(pass_back(program, real, call, lambda node: rounded(node) is not None, told), 1e-300)
    return {name: cost / energy for name, cost in costs.items()}


def _source(site: fx.Node) -> fx.Node:
    source = site.args[0]
    assert isinstance(source, fx.Node)
    return source


def can_be_wide(site: fx.Node, plans: Mapping[str, Plan]) -> bool:
    """Whether who makes a value can give 20 bits, and somebody takes them."""
    plan, source = plans[str(site.args[1])], site.args[0]
    assert isinstance(source, fx.Node)
    if not isinstance(plan, ObservedActivation16 | QuantizedActivation16):
        return False
    maker, readers = captured_op(source), [captured_op(user) for user in site.users]
    if (
        maker is None
        or not maker.gives_wide
        or not any(one is not None and one.reads_wide for one in readers)
    ):
        return False
    return not mixes_products(source) and not _by_pixel(source, plans)


def _by_pixel(convolution: fx.Node, plans: Mapping[str, Plan]) -> bool:
    """Whether a node is a convolution whose groups are of output positions."""
    read = convolution.args[0]
    if product_kind(convolution) is not ProductKind.CONVOLUTION or not isinstance(read, fx.Node):
        return False
    plan = plans.get(str(read.args[1])) if read.target is dgqc.site.default else None
    return isinstance(plan, GroupedOperand) and plan.dimension is Dimension.PIXEL
