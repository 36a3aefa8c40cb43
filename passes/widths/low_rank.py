"""`low-rank`: what of a weight a few directions hold is multiplied in 16 bits, the rest in few."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

import torch
from torch import fx

from ...ir.calibration import spaced
from ...ir.devices import CPU
from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.moving import moved
from ...ir.ops.captured import is_layer, multiply_adds, products_in, weight_readers
from ...ir.plans import Activation16, Operand, Plan, Role
from ...ir.program import Program
from ...ir.ranks import shared_out
from ..base import Pass
from ..graph.batches import call_bytes
from ..graph.edit import (
    MILLION,
    add_constant,
    call,
    clean,
    constant,
    dgqc,
    edge_convolutions,
    identifier,
    module_path,
    propagate,
    weight_count,
)
from ..manager.registry import register_pass
from ..simulation.pass_back import RETAINED, pass_back
from ..weights.quantize_weights import RangeMethod, round_to_nearest
from .knapsack import chosen
from .measured import Sample, samples_of
from .widened import add_part

log = logging.getLogger("dgqc")

BYTE = 8
"""Bits of a branch's weights."""
HALVINGS = 3
"""Ranks that are tried: the largest, and half of it so many times less one."""
PERCENT = 100
FAINTEST = 1e-6
"""Channels that are fainter beside the widest count as that."""


class Large(StrEnum):
    """What becomes of a network with more weights than `most`."""

    REFUSE = "refuse"
    LEAVE = "leave"


@dataclass(frozen=True, eq=False)
class Branched:
    """A site whose layers can have a branch.

    weight: float64 (N, K), of all layers that read it, with taps of a convolution among the K. channels: K
    divided by taps. directions, powers: of the weight's outputs, float64 (N, R) with unit columns and (R,),
    the strongest first; powers are shares of the whole, as the operand's error sees them.
    """

    site: fx.Node
    layers: tuple[fx.Node, ...]
    weight: torch.Tensor
    directions: torch.Tensor
    powers: torch.Tensor


@register_pass
@dataclass(frozen=True)
class LowRank(Pass):
    """SVDQuant's branch: with the largest singular values of a weight W,

        x W = Q(x) Q(R) + x L1 L2,    R = W - L1 L2,    L1 L2 = the best approximation of rank r

    where the branch reads x in 16 bits and has weights of 8, and Q rounds to few. What rounding x costs is
    its error times R, so that a weight whose few directions hold most of it loses most of the error. Layers
    that read one value share L1. A convolution's branch has its taps in L1, and its L2 one.

    Deviations. The paper gives every linear layer the same rank; here layers get `rank`, a half, a quarter
    of it or none, as one pass back says that the output gains most for `share` percent of the network's
    multiply-adds. Singular values are of W with each input channel times its range, since steps grow with
    it; the paper smooths channels first, which groups do here. R is not searched for in a hundred turns
    of quantizing and decomposing: `gptq` rounds it later, with compensation. Convolutions have branches, too;
    the first and the last have none. Weights are taken apart one after another, and those that get a branch
    once more, so that memory holds one of them in double precision.

    rank: the largest. share: of multiply-adds, in percent, that branches may add, all in 16 bits. calls: how
    many are looked at, evenly spaced. most: millions of weights, beyond which gradients and singular values
    would take too long. large: whether a larger network is refused, or left without branches.
    """

    rank: int = 32
    share: float = 10.0
    calls: int = 3
    most: int = 100
    large: Large = Large.REFUSE

    name: ClassVar[str] = "low-rank"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"sites"})

    def __post_init__(self) -> None:
        if self.rank < 1 or not self.share > 0 or self.calls < 1 or self.most < 1:
            raise DgqcError("low-rank takes a rank, calls and most from 1 on, and a share above 0 percent.")

    def run(self, program: Program) -> Program:
        if program.calibration is None:
            raise DgqcError("low-rank needs calibration samples; give some with --calib.")
        if (millions := weight_count(program.graph) / MILLION) > self.most:
            if self.large is Large.REFUSE:
                raise DgqcError(
                    f"low-rank would need gradients of {millions:.0f} million weights, and is allowed "
                    f"{self.most}; raise most where memory is enough, or leave it out."
                )
            log.warning(
                "low-rank leaves a network of %.0f million weights without branches, since it takes up to %d "
                "million; most= says how many where there is memory.",
                millions,
                self.most,
            )
            return program.with_report(self.name, {"left": round(millions)})
        if program.facts & {"weights", "observed-ranges"}:
            raise DgqcError("low-rank changes weights; put it before quantize-weights and observe-ranges.")
        sites = _sites(program)
        samples = samples_of(program, spaced(len(program.schedule), self.calls))
        noise, reach = _measured(program, sites, samples)
        spectra = [self._spectrum(program, site, reach) for site in sites]
        costs = [
            [noise[str(site.args[1])] * left for left in one.left]
            for site, one in zip(sites, spectra, strict=True)
        ]
        whole, of = multiply_adds(program.graph.graph), sum(len(site.users) for site in sites)
        places = chosen([one.works for one in spectra], costs, int(whole * self.share / PERCENT))
        plans: dict[str, Plan] = dict(program.plans)
        taken: dict[str, int] = {}
        for site, spectrum, place in zip(sites, spectra, places, strict=True):
            if rank := spectrum.ranks[place]:
                one = _decomposed(program, site, reach[str(site.args[1])], self.rank)
                _insert(program.graph, plans, one, rank)
                taken |= {module_path(layer): rank for layer in one.layers}
        clean(program.graph)
        result = replace(program, plans=plans)
        propagate(result)
        added = PERCENT * (multiply_adds(result.graph.graph) - whole) / whole
        report = {"ranks": taken, "of": of, "percent": round(added, 2)}
        return result.with_report(self.name, report)

    def _spectrum(self, program: Program, site: fx.Node, reach: Mapping[str, torch.Tensor]) -> _Spectrum:
        one = _decomposed(program, site, reach[str(site.args[1])], self.rank)
        ranks = [0, *(rank for rank in self._ranks() if 2 * rank <= len(one.powers))]
        left = [1 - float(one.powers[:rank].sum()) for rank in ranks]
        return _Spectrum(ranks, [_work(one, rank) for rank in ranks], left)

    def _ranks(self) -> Sequence[int]:
        """That a layer can have, from the least."""
        return sorted({max(1, self.rank >> halved) for halved in range(HALVINGS)})


@dataclass(frozen=True)
class _Spectrum:
    """What is kept of a site while others are looked at: the ranks that its branch can have, from 0 on, the
    multiply-adds of each, and what share of the weight each leaves."""

    ranks: Sequence[int]
    works: Sequence[int]
    left: Sequence[float]


def _sites(program: Program) -> Sequence[fx.Node]:
    """Operands that layers alone read, whose results are 16-bit values that nothing else reads."""
    graph, plans = program.graph.graph, program.plans
    edges = edge_convolutions(graph)
    readers = weight_readers(graph)

    def branched(layer: fx.Node) -> bool:
        result = list(layer.users)
        known = is_layer(layer) and layer not in edges
        if not known or len(result) != 1 or result[0].target is not dgqc.site.default:
            return False
        weight = str(layer.args[1].target)  # type: ignore[union-attr]
        own = isinstance(plans.get(str(result[0].args[1])), Activation16)
        return own and weight not in plans and readers[weight] == 1

    return [
        node
        for node in graph.nodes
        if node.target is dgqc.site.default
        and isinstance(plans.get(str(node.args[1])), Operand)
        and all(branched(layer) for layer in node.users)
    ]


def _measured(
    program: Program, sites: Collection[fx.Node], samples: Mapping[int, Sequence[Sample]]
) -> tuple[Mapping[str, float], Mapping[str, torch.Tensor]]:
    """By site: what rounding costs the output as a share of its energy, the mean of samples, where each
    channel is rounded by its own range; and those ranges, float64 (C,), the mean of samples."""

    def of_call(step: int) -> list[tuple[dict[str, float], dict[str, torch.Tensor]]]:
        return [_of_sample(program, sites, real, step) for real in samples[step]]

    each = [one for found in shared_out(of_call, samples, call_bytes(program, 1) * RETAINED) for one in found]
    names = [str(site.args[1]) for site in sites]
    noise = {name: sum(one[0][name] for one in each) / len(each) for name in names}
    return noise, {name: torch.stack([one[1][name] for one in each]).mean(dim=0) for name in names}


def _of_sample(
    program: Program, sites: Collection[fx.Node], real: tuple[torch.Tensor, ...], step: int
) -> tuple[dict[str, float], dict[str, torch.Tensor]]:
    names = {str(site.args[1]) for site in sites}
    noise, reach = dict[str, float](), dict[str, torch.Tensor]()

    def told(site: fx.Node, value: torch.Tensor, gradient: torch.Tensor | None) -> None:
        name = str(site.args[1])
        plan = program.plans[name]
        assert isinstance(plan, Operand)
        axis = 1 if plan.role is Role.CONVOLUTION else value.dim() - 1
        others = [one for one in range(value.dim()) if one != axis]
        x = value.double()
        width = x.amax(dim=others).clamp(min=0) - x.amin(dim=others).clamp(max=0)
        power = torch.zeros_like(width) if gradient is None else gradient.double().square().sum(dim=others)
        steps = (width / (2**plan.bits - 1)).square() / 12
        noise[name], reach[name] = float(power @ steps), width.to(CPU)

    def wanted(node: fx.Node) -> bool:
        return node.target is dgqc.site.default and str(node.args[1]) in names

    energy = pass_back(program, real, step, wanted, told)
    return {name: found / max(energy, 1e-300) for name, found in noise.items()}, reach


def _decomposed(program: Program, site: fx.Node, reach: torch.Tensor, rank: int) -> Branched:
    """The weights that read a site, and their strongest outputs. reach: float64 (C,), of its channels."""
    layers = tuple(site.users)
    weights = [moved(constant(program.graph, layer.args[1]).detach()).double() for layer in layers]  # type: ignore[arg-type]
    weight = torch.cat([one.reshape(len(one), -1) for one in weights])
    by = reach.clamp(min=float(reach.max()) * FAINTEST).clamp(min=1e-30).to(weight.device)
    seen = weight * by.repeat_interleave(weight.shape[1] // len(by))
    if len(seen) <= seen.shape[1]:
        values, vectors = torch.linalg.eigh(seen @ seen.T)
        directions = vectors.flip(1)[:, : 2 * rank]
    else:
        values, vectors = torch.linalg.eigh(seen.T @ seen)
        directions = torch.nn.functional.normalize(seen @ vectors.flip(1)[:, : 2 * rank], dim=0)
    # A direction and its opposite are alike: the sign must not depend on the machine.
    largest = directions.gather(0, directions.abs().argmax(dim=0, keepdim=True))
    directions = directions * torch.where(largest < 0, -1.0, 1.0)
    powers = values.flip(0).clamp(min=0)
    powers = powers / powers.sum().clamp(min=1e-300)
    return Branched(site, layers, weight.to(CPU), directions.to(CPU), powers.to(CPU))


def _work(one: Branched, rank: int) -> int:
    """Multiply-adds of a branch: of each input of L1 beside those of all layers, and of L2."""
    outputs, inputs = one.weight.shape
    places = sum(products_in(layer) for layer in one.layers) // (outputs * inputs)
    return places * rank * (outputs + inputs)


def _insert(module: fx.GraphModule, plans: dict[str, Plan], one: Branched, rank: int) -> None:
    """L1 reads what the site reads, L2 is added to each layer, and layers keep what is left."""
    first, source = one.layers[0], one.site.args[0]
    kernels = [constant(module, layer.args[1]) for layer in one.layers]  # type: ignore[arg-type]
    directions = one.directions[:, :rank]
    strengths = (directions.T @ one.weight).norm(dim=1).clamp(min=1e-30)
    inner = (directions.T @ one.weight) / strengths[:, None]
    narrow = _layer(module, plans, first, source, inner.reshape(rank, *kernels[0].shape[1:]), "narrow")
    graph, name = module.graph, f"{narrow.name}.output"
    with graph.inserting_after(narrow):
        held = call(graph, dgqc.site.default, (narrow, name), first, f"{narrow.name}_output_site")
    plans[name] = Activation16()
    rows = torch.split(directions * strengths, [len(kernel) for kernel in kernels])
    for layer, kernel, outer in zip(one.layers, kernels, rows, strict=True):
        left = kernel.detach().double() - (outer @ inner).reshape(kernel.shape)
        with graph.inserting_before(layer):
            residue = add_constant(module, f"{layer.args[1].target}.residue", left.to(kernel.dtype))  # type: ignore[union-attr]
        layer.update_arg(1, residue)
        (site,) = layer.users
        shaped = outer.reshape(*outer.shape, *[1] * (kernel.dim() - 2))
        wide = _layer(module, plans, layer, held, shaped, "wide")
        add_part(graph, layer, wide, site, plans)


def _layer(
    module: fx.GraphModule,
    plans: dict[str, Plan],
    like: fx.Node,
    source: fx.Node | object,
    weight: torch.Tensor,
    what: str,
) -> fx.Node:
    """A product of the same kind with a weight of bytes, before `like`; one without taps steps nowhere."""
    graph = module.graph
    assert isinstance(source, fx.Node)
    geometry: tuple[object, ...] = tuple(like.args[3:])
    if geometry and what == "wide":
        geometry = ([1, 1], [0, 0], [1, 1], 1)
    with graph.inserting_before(like):
        name = f"{identifier(like.name)}_{what}"
        own = add_constant(module, f"{name}_weight", weight.to(torch.float32))
        node = call(graph, like.target, (source, own, None, *geometry), like, name)  # type: ignore[arg-type]
    plans[str(own.target)] = round_to_nearest(weight, BYTE, RangeMethod.MSE)
    return node
