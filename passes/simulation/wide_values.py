"""The float network with nothing but its 16-bit values rounded: what integers cost without quantization."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial

import torch
from torch import fx

from ...ir.calibration import Inputs, reads
from ...ir.errors import DgqcError
from ...ir.ops.captured import channel_axis
from ...ir.ops.wide import FINER, LIMITS
from ...ir.plans import QuantizedActivation16
from ...ir.program import Program
from ...ir.ranks import shared_out
from ..graph.batches import arguments, call_bytes
from ..graph.edit import aten
from .block_interpreter import BlockInterpreter

PIECE = 2**16
"""Elements that are rounded at a time."""


def scales_beside(plan: QuantizedActivation16, source: fx.Node) -> torch.Tensor:
    """Steps of a value at each call, float64 (T, ...), to broadcast against it. source: what computes it."""
    scales = plan.scales
    sizes = [1] * len(source.meta["val"].shape)
    sizes[channel_axis(source)] = scales.shape[1]
    return scales.reshape(len(scales), *sizes)


def decibels_of_values(program: Program, steps: list[int]) -> Mapping[int, float | None]:
    """Signal to noise of the network's output at these calls, in dB, where every 16-bit value is rounded to
    its scale and all else stays floating point; of one calibration sample each. None where nothing is lost.

    program: at the planned level, its 16-bit values with scales.
    """
    if program.calibration is None:
        raise DgqcError("Measuring 16-bit values needs calibration samples; give some with --calib.")
    of_call = partial(decibels_of_call, program)
    found = shared_out(of_call, reads(program.calibration, steps), call_bytes(program, 1))
    return dict(zip(steps, found, strict=True))


def decibels_of_call(program: Program, read: tuple[int, Iterator[Inputs]]) -> float | None:
    """The same of one call, given with its samples."""
    step, batches = read
    sample = {name: value[:1] for name, value in next(batches).items()}
    (real,) = arguments(program, sample)
    known = program.calibration.answers.get(step) if program.calibration else None
    with torch.no_grad():
        answer = known.first if known else BlockInterpreter(program).run(*real, torch.tensor(step))
        wanted = answer.double()
        rounded = _Rounding(program, step).run(*real, torch.tensor(step)).double()
    signal, noise = float(wanted.square().sum()), float((wanted - rounded).square().sum())
    return round(10 * math.log10(signal / noise), 2) if signal and noise else None


class _Rounding(BlockInterpreter):
    """Runs the float graph with 16-bit values rounded and saturated at their sites."""

    def __init__(self, program: Program, step: int) -> None:
        super().__init__(program)
        self.step = step

    def _seen(self, name: object, value: torch.Tensor, site: fx.Node) -> torch.Tensor:
        plan = self.plans[str(name)]
        source = site.args[0]
        assert isinstance(source, fx.Node)
        if not isinstance(plan, QuantizedActivation16) or keeps_parts(plan, source):
            return value
        scale, limits = scales_beside(plan, source)[self.step].to(value.device), (-32768, 32767)
        if plan.wide:
            scale, limits = scale / FINER, LIMITS
        return _rounded(value, scale, limits)


def _rounded(value: torch.Tensor, scale: torch.Tensor, limits: tuple[int, int]) -> torch.Tensor:
    """The nearest multiples of scales, none beyond the limits. Some of a large value at a time, so that what
    is computed on the way stays in the cache.

    value: float (B, n, ...). scale: float64, broadcasts to it.
    """
    pieces = 1 + value.numel() // PIECE
    size = -(-value.shape[1] // pieces)
    found = torch.empty_like(value)
    parts = (torch.split(one, size, dim=1) for one in (value, scale.expand_as(value), found))
    for given, step, rounded in zip(*parts, strict=True):
        codes = given.double().div_(step).add_(0.5).floor_().clamp_(*limits)
        rounded.copy_(codes.mul_(step))
    return found


def keeps_parts(plan: QuantizedActivation16, source: fx.Node) -> bool:
    """Whether a value is a concatenation whose parts keep their codes."""
    return source.target is aten.cat.default and plan.exponent is not None
