"""`rotate`: blocks of channels are turned by Hadamard matrices, where that makes rounding quieter."""

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
from ...ir.ops.captured import is_layer, multiply_adds, weight_readers
from ...ir.plans import Activation16, Operand, Plan, Ranges, Role, Weight
from ...ir.program import Program
from ...ir.ranks import shared_out
from ..base import Pass
from ..graph.batches import arguments, call_bytes
from ..graph.edit import add_constant, aten, call, clean, constant, dgqc, propagate, shape
from ..manager.registry import register_pass
from ..simulation.block_interpreter import BlockInterpreter
from .error_groups import merged

ROOT = ((1, 1, 1, -1), (1, 1, -1, 1), (1, -1, 1, 1), (-1, 1, 1, 1))
"""Of the regular Hadamard matrices, whose rows all have one sum: twice that of four channels."""
ROWS = 256
"""Of an operand that are looked at, in each sample."""
SHRINKS = (1.0, 0.85, 0.7, 0.55)
"""Of ranges that are tried, the quietest counts."""
PERCENT = 100


@register_pass
@dataclass(frozen=True)
class Rotate(Pass):
    """Turns an operand's channels, block by block, and the weights that read them: x W = (x H) (H W).

    H is ConvRot's regular Hadamard matrix of G = 4^n channels, the n-th Kronecker power of one of four, over
    2^n: symmetric and its own inverse, H H = I, with entries +-1 / 2^n. Each channel behind it is a sum of
    G with signs: where a few reach far, all then reach less. A convolution's channels are turned pixel by
    pixel, so that all its taps share that and zeros around an image stay zeros.

    Here H is a layer of 16-bit inputs with codes +-1, which sums exactly and rounds once, to 16 bits. So it
    costs G multiply-adds a value, of which the papers' butterflies need 2 n; weights are turned beforehand.
    Deviations. The papers turn every layer. Groups level channels as well, and so a layer is turned only
    where its rounding error, weighted with what reads it, gets `gain` dB quieter beside as many groups
    without, on calibration samples. Blocks are the largest that divide the channels, `size` at most.

    size: 4, 16, 64 or 256. groups: of channels, that quantizers will have. gain: in dB. calls, samples: how
    many are looked at, evenly spaced, and of each.
    """

    size: int = 64
    groups: int = 8
    gain: float = 1.0
    calls: int = 3
    samples: int = 8

    name: ClassVar[str] = "rotate"
    takes: ClassVar[Level] = Level.PLANNED
    leaves: ClassVar[Level] = Level.PLANNED
    requires: ClassVar[frozenset[str]] = frozenset({"sites"})

    def __post_init__(self) -> None:
        if self.size not in (4, 16, 64, 256):
            raise DgqcError(f"rotate takes blocks of 4, 16, 64 or 256 channels, not {self.size}.")
        if self.groups < 1 or self.calls < 1 or self.samples < 1:
            raise DgqcError("rotate takes groups, calls and samples from 1 on.")

    def run(self, program: Program) -> Program:
        if program.calibration is None:
            raise DgqcError("rotate needs calibration samples; give some with --calib.")
        if program.facts & {"weights", "observed-ranges"}:
            raise DgqcError("rotate changes weights; put it before quantize-weights and observe-ranges.")
        sites = [site for site in _sites(program) if _block(_channels(program, site), self.size) > 1]
        rows = self._rows(program, {str(site.args[1]) for site in sites})
        plans: dict[str, Plan] = dict(program.plans)
        whole = multiply_adds(program.graph.graph)
        turned: dict[str, float] = {}
        for site in sites:
            name = str(site.args[1])
            size = _block(_channels(program, site), self.size)
            found = self._gain(program, site, size, [one[name] for one in rows])
            if found >= self.gain:
                _insert(program.graph, plans, site, size)
                turned[name] = round(found, 2)
        clean(program.graph)
        result = replace(program, plans=plans)
        propagate(result)
        added = PERCENT * (multiply_adds(result.graph.graph) - whole) / max(whole, 1)
        report = {"operands": len(sites), "turned": turned, "percent": round(added, 2)}
        return result.with_report(self.name, report)

    def _rows(self, program: Program, names: Collection[str]) -> Sequence[Mapping[str, torch.Tensor]]:
        """What operands hold at each of the calls, float32 (rows, C) by site."""
        assert program.calibration is not None
        steps = spaced(len(program.schedule), self.calls)

        def of_call(read: tuple[int, Iterator[Inputs]]) -> Mapping[str, torch.Tensor]:
            recorder, left = _Recorder(program, names), self.samples
            for inputs in read[1]:
                for batch in arguments(program, {name: x[:left] for name, x in inputs.items()}):
                    with torch.no_grad():
                        recorder.run(*batch, torch.tensor(read[0]))
                left -= samples_in(inputs)
                if left <= 0:
                    break
            return {name: torch.cat(parts).to(CPU) for name, parts in recorder.rows.items()}

        return list(shared_out(of_call, reads(program.calibration, steps), call_bytes(program)))

    def _gain(self, program: Program, site: fx.Node, size: int, calls: Sequence[torch.Tensor]) -> float:
        """By how many dB rounding gets quieter. calls: rows of the operand at each."""
        plan = program.plans[str(site.args[1])]
        assert isinstance(plan, Operand)
        weights = [_by_channel(program, layer) for layer in site.users]
        turn = hadamard(size).float()

        def turned(rows: torch.Tensor) -> torch.Tensor:
            return (rows.reshape(-1, size) @ turn).reshape(rows.shape)

        plain = rounding_noise(calls, torch.cat(weights), plan, self.groups)
        other = rounding_noise(
            [turned(rows) for rows in calls], turned(torch.cat(weights)), plan, self.groups
        )
        return 10 * math.log10(max(plain, 1e-300) / max(other, 1e-300))


def hadamard(size: int) -> torch.Tensor:
    """Regular, symmetric, its own inverse: float64 (size, size), entries +-1 / sqrt(size). size: 4^n."""
    found, root = torch.ones(1, 1, dtype=torch.float64), torch.tensor(ROOT, dtype=torch.float64) / 2
    while len(found) < size:
        found = torch.kron(found, root)
    return found


def rounding_noise(calls: Sequence[torch.Tensor], weight: torch.Tensor, plan: Operand, groups: int) -> float:
    """Squared error of what layers make of a rounded operand, beside their results': the mean over calls.

    calls: float32 (rows, C) each. weight: float32 (M, C), all that reads the channels.
    """
    low = torch.stack([rows.amin(dim=0) for rows in calls])
    high = torch.stack([rows.amax(dim=0) for rows in calls])
    if plan.padded:
        low, high = low.clamp(max=0), high.clamp(min=0)
    group = merged(Ranges(low, high), groups, plan.padded)
    count, power, total = int(group.max()) + 1, weight.square().sum(dim=0), 0.0
    for rows, least, most in zip(calls, low, high, strict=True):
        start = torch.zeros(count)
        lows = start.scatter_reduce(0, group, least, "amin", include_self=False)[group]
        highs = start.scatter_reduce(0, group, most, "amax", include_self=False)[group]
        errors = [
            float((rounded(rows, lows * f, highs * f, plan.bits) - rows).square().sum(dim=0) @ power)
            for f in SHRINKS
        ]
        total += min(errors) / max(float((rows @ weight.T).square().sum()), 1e-300)
    return total / len(calls)


def rounded(rows: torch.Tensor, low: torch.Tensor, high: torch.Tensor, bits: int) -> torch.Tensor:
    """What codes between these ends stand for, float32 (rows, C). low, high: (C,)."""
    top = 2**bits - 1
    scale = ((high - low) / top).clamp(min=1e-30)
    zero = torch.round(-low / scale)
    result: torch.Tensor = scale * ((torch.round(rows / scale) + zero).clamp(0, top) - zero)
    return result


class _Recorder(BlockInterpreter):
    """Runs the float graph and keeps some rows of operands, float32 (rows, C) by site."""

    def __init__(self, program: Program, names: Collection[str]) -> None:
        super().__init__(program)
        self.names = names
        self.rows: dict[str, list[torch.Tensor]] = {}

    def see(self, name: str, value: torch.Tensor, site: fx.Node) -> None:
        if name in self.names:
            plan: Any = self.plans[name]
            last = value.movedim(1, -1) if plan.role is Role.CONVOLUTION else value
            rows = last.reshape(-1, last.shape[-1])
            generator = torch.Generator().manual_seed(len(self.rows.get(name, ())))
            some = torch.randperm(len(rows), generator=generator)[: ROWS * len(value)]
            self.rows.setdefault(name, []).append(rows[some.to(rows.device)])


def _sites(program: Program) -> Sequence[fx.Node]:
    """Operands that layers alone read, each with a weight of its own."""
    graph, plans = program.graph.graph, program.plans
    readers = weight_readers(graph)
    return [
        node
        for node in graph.nodes
        if node.target is dgqc.site.default
        and isinstance(plans.get(str(node.args[1])), Operand)
        and all(is_layer(layer) and readers[str(layer.args[1].target)] == 1 for layer in node.users)
    ]


def _channels(program: Program, site: fx.Node) -> int:
    plan = program.plans[str(site.args[1])]
    assert isinstance(plan, Operand)
    return shape(site)[1 if plan.role is Role.CONVOLUTION else -1]


def _block(channels: int, most: int) -> int:
    """The largest power of 4, up to `most`, that divides the channels."""
    size = 1
    while 4 * size <= most and channels % (4 * size) == 0:
        size *= 4
    return size


def _by_channel(program: Program, layer: fx.Node) -> torch.Tensor:
    """A layer's weight with channels last, float32 (N taps, C)."""
    weight = constant(program.graph, layer.args[1]).detach().float()  # type: ignore[arg-type]
    last = weight.movedim(1, -1)
    return last.reshape(-1, last.shape[-1])


def _insert(module: fx.GraphModule, plans: dict[str, Plan], site: fx.Node, size: int) -> None:
    """The site reads its value turned, by a layer of 16-bit inputs; layers behind it get turned weights."""
    graph, source, name = module.graph, site.args[0], str(site.args[1])
    plan = plans[name]
    assert isinstance(plan, Operand)
    assert isinstance(source, fx.Node)
    image, sizes = plan.role is Role.CONVOLUTION, list(shape(site))
    if image:
        sizes = [sizes[0], *sizes[2:], sizes[1]]

    def made(target: Any, what: str, *args: Any) -> fx.Node:
        return call(graph, target, args, site, f"{site.name}_{what}")

    with graph.inserting_before(site):
        last = made(aten.permute.default, "pixels", source, [0, 2, 3, 1]) if image else source
        blocks = made(aten.reshape.default, "blocks", last, [-1, math.prod(sizes[1:]) // size, size])
        matrix = add_constant(module, f"{name}.turn", hadamard(size).float())
        layer = made(aten.linear.default, "turn", blocks, matrix, None)
        held = made(dgqc.site.default, "turned", layer, f"{layer.name}.output")
        back = made(aten.reshape.default, "whole", held, [-1, *sizes[1:]])
        if image:
            back = made(aten.permute.default, "image", back, [0, 3, 1, 2])
    plans[f"{layer.name}.output"] = Activation16()
    signs = torch.sign(hadamard(size)).to(torch.int8)
    plans[str(matrix.target)] = Weight(4, signs, torch.full((size,), size**-0.5, dtype=torch.float64))
    site.update_arg(0, back)
    for reader in list(site.users):
        weight: Any = reader.args[1]
        real = constant(module, weight).detach()
        rows = real.double().movedim(1, -1)
        turned = (rows.reshape(-1, size) @ hadamard(size)).reshape(rows.shape).movedim(-1, 1)
        with graph.inserting_before(reader):
            own = add_constant(module, f"{weight.target}.turned", turned.to(real.dtype).contiguous())
        reader.update_arg(1, own)
