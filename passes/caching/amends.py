"""How far a full call goes beyond a shallow one's answer, for what the shallow ones before it got wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import fx

from ...ir.ops.cached import CORRECTION_BITS
from ...ir.parallel import side_by_side
from ...ir.plans import CachedValue
from ...ir.program import Program
from ...ir.progress import track
from ...ir.sampler import Walk
from ..correction.pictures import SAMPLE, first_samples, picture_rows, sampler_and_guidance
from ..graph.batches import call_bytes
from ..graph.edit import dgqc
from ..manager.failures import snapshot
from ..simulation.block_interpreter import BlockInterpreter
from .features import HALVES, Watching
from .fit import SMALLEST
from .weight import FloatDrawing, Taking

MOST = 4.0
"""Times the difference of two answers."""


def amends(program: Program, site: str, plan: CachedValue, samples: int, who: str) -> torch.Tensor:
    """Of each call, float64 (T,): 0 where no shallow call was before, and at shallow ones.

    The shallow calls since the last full one leave a picture x' in the place of x. At the full call the
    network says y of x', and would say y~ if it was shallow. Both ways err alike, so that m is of

        min sum |x_next - S(x', y + m (y - y~))|^2,

    S: what the scheduler makes of a picture and an answer; x_next: of x, without shallow calls. Each run of
    calls begins on the float network's own drawing.

    program: at the planned level. plan: with what foretells full calls. samples: of the first call, from
    which drawings begin. who: the pass, for messages.
    """
    sampler, guidance = sampler_and_guidance(program, who)
    inputs = first_samples(program, samples, who)
    rows = picture_rows(inputs[SAMPLE], guidance)
    above = _above(program, site)

    def of_one(place: int) -> torch.Tensor:
        own = {name: value[list(rows[place])] for name, value in inputs.items()}
        return _of_picture(FloatDrawing(program, site, own, sampler, guidance, place), above, plan)

    drawings = side_by_side(of_one, range(len(rows)), call_bytes(program, HALVES))
    together, alone = torch.stack(list(track(drawings, f"{who}: making amends", len(rows)))).sum(dim=0)
    unit = 2.0**-CORRECTION_BITS
    return torch.round((together / alone.clamp(min=SMALLEST)).clamp(0.0, MOST) / unit) * unit


def calls_to_amend(calls: int) -> int:
    """How many calls of the network it takes for each sample, at most."""
    return 3 * calls


def _above(program: Program, site: str) -> Program:
    """What is computed besides the value at a site."""
    graph = snapshot(program)
    sample = next(node for node in graph.graph.nodes if node.op == "placeholder")
    for node in graph.graph.nodes:
        if node.target is dgqc.site.default and str(node.args[1]) == site:
            node.update_arg(0, sample)
    graph.graph.eliminate_dead_code()
    return replace(program, graph=graph)


def _of_picture(picture: FloatDrawing, above: Program, plan: CachedValue) -> torch.Tensor:
    """What is summed at each call of a drawing, float64 (2, T): of both differences, and of the second one's
    square."""
    walk, other = picture.start, picture.start.along(picture.sampler)
    found = torch.zeros(2, len(picture.sampler), dtype=torch.float64)
    left: list[list[torch.Tensor]] = []
    shallow = False

    def foretelling(step: int) -> fx.Interpreter:
        return Taking(above, picture.site, iter(_foretold(plan, step, left)))

    for step, source in enumerate(plan.source.tolist()):
        network = Watching(picture.program, picture.site)
        picture.follow(walk, step, network)
        if source != step:
            picture.follow(other, step, foretelling(step))
            shallow = True
            continue
        if shallow:
            found[:, step] = _missed(picture, walk, other, step, foretelling(step))
        other, shallow = walk.along(picture.sampler), False
        left.insert(0, network.found)
    return found


def _missed(
    picture: FloatDrawing, walk: Walk, other: Walk, step: int, network: fx.Interpreter
) -> torch.Tensor:
    """walk: after the call. other: before it. network: makes the call a shallow one."""
    full = picture.answer(other, step, BlockInterpreter(picture.program))
    beyond = 2 * full - picture.answer(other, step, network)
    ends = []
    for answer in (full, beyond):
        end = other.along(picture.sampler)
        end.follow(answer, picture.noises[step])
        ends.append(end.state.double())
    way = ends[1] - ends[0]
    return torch.stack([(way * (walk.state - ends[0])).sum(), way.square().sum()])


def _foretold(plan: CachedValue, step: int, left: Sequence[list[torch.Tensor]]) -> list[torch.Tensor]:
    """The value at a call, part by part of a batch. left: by full calls, the last one first."""
    tables = [plan.factor, *([] if plan.older is None else [plan.older])]
    sizes = [1] * left[0][0].dim()
    sizes[plan.axis] = -1
    found = []
    for parts in zip(*left[: len(tables)], strict=True):
        value = plan.offset[step].reshape(sizes)
        for part, table in zip(parts, tables, strict=False):
            value = value + part * table[step].reshape(sizes)
        found.append(value.to(parts[0].dtype))
    return found
