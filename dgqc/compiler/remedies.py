"""What would bring a program closer to its float model, as changes of the request that made it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..ir.errors import PipelineError
from ..passes.manager.presets import changed_preset
from .prepare import SAMPLES
from .request import Request

MOST_SAMPLES = 64
"""Beyond these, ranges hardly grow."""


@dataclass(frozen=True)
class Remedy:
    """A change. option: as it is written on the command line. request: the changed one."""

    option: str
    request: Request


def remedies(request: Request) -> list[Remedy]:
    """The changes that a request leaves room for; cheapest first, in what the program then costs.

    More samples cost nothing at run time; 16-bit edges and more groups little; wider weights size, wider
    activations time. A pipeline that is given as text is changed in its samples only.
    """
    return list(_found(request))


def _found(request: Request) -> Iterator[Remedy]:
    drawn = request.samples or SAMPLES
    if request.calibration is None and drawn < MOST_SAMPLES:
        more = min(4 * drawn, MOST_SAMPLES)
        yield Remedy(f"--samples {more}", replace(request, samples=more))
    if request.pass_pipeline is not None:
        return
    for change in ({"edges": "16"}, {"groups": "16"}, {"weights": "8"}, {"activations": "8"}):
        try:
            opt = changed_preset(request.opt, **change)
        except PipelineError:
            continue  # this method has no such setting
        if opt != request.opt:
            yield Remedy(f"-O {opt}", replace(request, opt=opt))
