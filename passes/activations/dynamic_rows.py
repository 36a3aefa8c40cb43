"""`dynamic-rows`: tokens are quantized by their own size, where ranges of calibration don't fit others."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import fx

from ...ir.calibration import Inputs, reads, samples_in, spaced
from ...ir.devices import CPU
from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.plans import Activation16, Operand, Plan, Ranges, Role
from ...ir.program import Program
from ...ir.ranks import shared_out
from ..base import Pass
from ..graph.batches import arguments, call_bytes
from ..graph.edit import add_constant, aten, call, clean, constant, dgqc, propagate, shape
from ..manager.registry import register_pass
from ..simulation.block_interpreter import BlockInterpreter
from .error_groups import merged
from .rotate import rounded

TOKENS = 64
"""Of an operand that are looked at, in each sample."""
WIDTHS = (0.7, 1.0, 1.2, 1.5)
"""Of seen ranges that are tried; the quietest counts, as for other passes that make or leave room."""
EPSILON = 1e-12
"""Of mean squares: a token of zeros stays one."""
SeenAndUnseen = tuple[torch.Tensor, torch.Tensor]
"""Tokens of the first and of the second half of samples, float32 (rows, C) each."""


@register_pass
@dataclass(frozen=True)
class DynamicRows(Pass):
    """Divides an operand's tokens by their own size before they are quantized, and multiplies by it behind.

    ViDiT-Q's dynamic quantization, a scale for each token at run time:

        y = m(x) (W Q(x / m(x))) + b,    m(x) = sqrt(mean x^2) of a token's channels

    So ranges of x / m(x) alone are fixed beforehand, and a token that is louder than all that calibration saw
    isn't clipped. In integers m comes of ops that there are: n = x / m(x) is RMSNorm without gains, and
    m = mean(x n), since mean(x^2) / m = m. Each has 16 bits, which every backend computes and whose bounds
    the verifier knows; nothing else is new. It costs a norm and a mean of the tokens, and a product and a sum
    of what layers make of them.

    Deviations. ViDiT-Q scales by minimum and maximum of a token, and all layers' operands; here it is by mean
    squares, with groups and their zero points on top, and only where tokens of the second half of the
    calibration samples, rounded in ranges of the first half, get `gain` dB quieter by it. A convolution's
    taps mix pixels, so these have no scales of their own.

    groups: of channels, that quantizers will have. gain: in dB. calls, samples: how many are looked at,
    evenly spaced, and of each.
    """

    groups: int = 8
    gain: float = 1.0
    calls: int = 5
    samples: int = 16

    name: ClassVar[str] = "dynamic-rows"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"sites"})

    def __post_init__(self) -> None:
        if self.groups < 1 or self.calls < 1 or self.samples < 2:
            raise DgqcError("dynamic-rows takes groups and calls from 1 on, and samples from 2.")

    def run(self, program: Program) -> Program:
        if program.calibration is None:
            raise DgqcError("dynamic-rows needs calibration samples; give some with --calib.")
        if program.facts & {"observed-ranges"}:
            raise DgqcError("dynamic-rows changes what is observed; put it before observe-ranges.")
        sites = _token_sites(program)
        calls = self._rows(program, {str(site.args[1]) for site in sites})
        plans: dict[str, Plan] = dict(program.plans)
        chosen: dict[str, float] = {}
        for site in sites:
            name = str(site.args[1])
            found = self._gain(program, site, [one[name] for one in calls])
            if found >= self.gain:
                _insert(program, plans, site)
                chosen[name] = round(found, 2)
        clean(program.graph)
        result = replace(program, plans=plans)
        propagate(result)
        return result.with_report(self.name, {"operands": len(sites), "dynamic": chosen})

    def _rows(self, program: Program, names: Collection[str]) -> Sequence[Mapping[str, SeenAndUnseen]]:
        """Some tokens of operands at each of the calls."""
        assert program.calibration is not None
        steps = spaced(len(program.schedule), self.calls)

        def of_call(read: tuple[int, Iterator[Inputs]]) -> Mapping[str, SeenAndUnseen]:
            recorder, left = _Recorder(program, names), self.samples
            for inputs in read[1]:
                for batch in arguments(program, {name: x[:left] for name, x in inputs.items()}):
                    with torch.no_grad():
                        recorder.run(*batch, torch.tensor(read[0]))
                left -= samples_in(inputs)
                if left <= 0:
                    break
            return {name: _halves(torch.cat(parts).to(CPU)) for name, parts in recorder.tokens.items()}

        found = list(shared_out(of_call, reads(program.calibration, steps), call_bytes(program)))
        if any(not len(first) for one in found for first, _ in one.values()):
            raise DgqcError(
                "dynamic-rows compares samples of a call, and one has a single sample; give more."
            )
        return found

    def _gain(self, program: Program, site: fx.Node, calls: Sequence[SeenAndUnseen]) -> float:
        """By how many dB rounding unseen tokens gets quieter."""
        plan = program.plans[str(site.args[1])]
        assert isinstance(plan, Operand)
        weights = [constant(program.graph, _weight(layer)).detach().float() for layer in site.users]
        power = torch.cat(weights).square().sum(dim=0)
        plain = unseen_noise(calls, power, plan, self.groups)
        scaled = unseen_noise(calls, power, plan, self.groups, by_row=True)
        return 10 * math.log10(max(plain, 1e-300) / max(scaled, 1e-300))


def unseen_noise(
    calls: Sequence[SeenAndUnseen], power: torch.Tensor, plan: Operand, groups: int, by_row: bool = False
) -> float:
    """Squared error of second halves, rounded in ranges of the first: the mean over calls, each beside what
    there is to be rounded.

    power: float32 (C,), of the weights that read the channels. by_row: whether tokens have scales of theirs.
    """
    sizes = [tuple(_size(rows) if by_row else torch.ones(len(rows), 1) for rows in one) for one in calls]
    seen = [rows / size for (rows, _), (size, _) in zip(calls, sizes, strict=True)]
    low, high = (torch.stack([getattr(rows, end)(dim=0) for rows in seen]) for end in ("amin", "amax"))
    group = merged(Ranges(low, high), groups, plan.padded)
    count, total = int(group.max()) + 1, 0.0
    for (_, rows), (_, size), least, most in zip(calls, sizes, low, high, strict=True):
        start = torch.zeros(count)
        lows = start.scatter_reduce(0, group, least, "amin", include_self=False)[group]
        highs = start.scatter_reduce(0, group, most, "amax", include_self=False)[group]
        errors = [
            float(
                (size * rounded(rows / size, f * lows, f * highs, plan.bits) - rows).square().sum(dim=0)
                @ power
            )
            for f in WIDTHS
        ]
        total += min(errors) / max(float(rows.square().sum(dim=0) @ power), 1e-300)
    return total / len(calls)


def _size(rows: torch.Tensor) -> torch.Tensor:
    """Root mean squares, (rows, 1)."""
    return (rows.square().mean(dim=1, keepdim=True) + EPSILON).sqrt()


def _halves(tokens: torch.Tensor) -> SeenAndUnseen:
    """tokens: (samples, tokens, C)."""
    half = len(tokens) // 2
    return tokens[:half].flatten(0, 1), tokens[half:].flatten(0, 1)


class _Recorder(BlockInterpreter):
    """Runs the float graph and keeps some tokens of operands, float32 (B, tokens, C) by site."""

    def __init__(self, program: Program, names: Collection[str]) -> None:
        super().__init__(program)
        self.names = names
        self.tokens: dict[str, list[torch.Tensor]] = {}

    def see(self, name: str, value: torch.Tensor, site: fx.Node) -> None:
        if name in self.names:
            rows = value.reshape(len(value), -1, value.shape[-1])
            every = max(1, rows.shape[1] // TOKENS)
            self.tokens.setdefault(name, []).append(rows[:, ::every].clone())


def _token_sites(program: Program) -> Sequence[fx.Node]:
    """Operands of several tokens that linears alone read."""
    sites = [node for node in program.graph.graph.nodes if node.target is dgqc.site.default and node.users]
    return [site for site in sites if _is_of_tokens(program, site) and all(map(_is_linear, site.users))]


def _is_of_tokens(program: Program, site: fx.Node) -> bool:
    plan = program.plans.get(str(site.args[1]))
    return isinstance(plan, Operand) and plan.role is Role.LINEAR and len(shape(site)) > 2


def _is_linear(layer: fx.Node) -> bool:
    return layer.target is aten.linear.default and _weight(layer).op == "get_attr"


def _weight(layer: fx.Node) -> fx.Node:
    weight = layer.args[1]
    assert isinstance(weight, fx.Node)
    return weight


def _insert(program: Program, plans: dict[str, Plan], site: fx.Node) -> None:
    """The site reads tokens over their sizes; what layers make of them is multiplied by these again."""
    module, source, channels = program.graph, site.args[0], shape(site)[-1]
    assert isinstance(source, fx.Node)
    with module.graph.inserting_before(site):
        gains = add_constant(module, f"{site.name}.gains", torch.ones(channels))
        over = _made(module, aten.rms_norm.default, (source, [channels], gains, EPSILON), site, "over")
        over = _held(module, plans, over)
        product = _made(module, aten.mul.Tensor, (source, over), site, "times_itself")
        product = _held(module, plans, product)
        size = _made(module, aten.mean.dim, (product, [len(shape(site)) - 1], True), site, "size")
        size = _held(module, plans, size)
    site.update_arg(0, over)
    for layer in list(site.users):
        _multiply(program, plans, layer, size)


def _multiply(program: Program, plans: dict[str, Plan], layer: fx.Node, size: fx.Node) -> None:
    """A layer's result times its tokens' sizes, then its bias; whoever read the layer reads this."""
    module, readers = program.graph, list(layer.users)
    bias = layer.args[2] if len(layer.args) > 2 else None
    with module.graph.inserting_before(layer.next):
        plain = _held(module, plans, layer, "_over.output")
        last = _made(module, aten.mul.Tensor, (plain, size), layer, "sized")
        if isinstance(bias, fx.Node):
            held = _held(module, plans, last)
            values = constant(module, bias).detach().reshape([1] * len(shape(layer)) + [-1])
            rows = values.repeat(len(program.schedule), *[1] * len(shape(layer)))
            table = add_constant(module, f"{layer.name}.bias_rows", rows)
            step = next(node for node in module.graph.nodes if node.target == "step")
            row = _made(module, dgqc.at_step.default, (table, step), layer, "bias")
            last = _made(module, aten.add.Tensor, (held, row), layer, "biased")
    for reader in readers:
        reader.replace_input_with(layer, last)
    layer.args = (*layer.args[:2], None)


def _made(module: fx.GraphModule, target: Any, args: tuple[Any, ...], like: fx.Node, what: str) -> fx.Node:
    return call(module.graph, target, args, like, f"{like.name}_{what}")


def _held(module: fx.GraphModule, plans: dict[str, Plan], node: fx.Node, ending: str = ".output") -> fx.Node:
    """A 16-bit value behind its site."""
    name = f"{node.name}{ending}"
    plans[name] = Activation16()
    return call(module.graph, dgqc.site.default, (node, name), node, f"{node.name}_held")
