"""What would bring a program closer to its float model, as changes of the request that made it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


def remedies(request: Request, weakest: Sequence[str] = ()) -> list[Remedy]:
    """The changes that a request leaves room for; cheapest first, in what the program then costs.

    More samples cost nothing at run time; 16-bit edges, more groups and 8-bit weights of a few layers little;
    8-bit weights of all size, wider activations time. A pipeline that is given as text is changed in its
    samples only.
    weakest: the layers that lose most, by their place in the model.
    """
    return list(_found(request, weakest))


def _found(request: Request, weakest: Sequence[str]) -> Iterator[Remedy]:
    drawn = request.samples or SAMPLES
    if request.calibration is None and drawn < MOST_SAMPLES:
        more = min(4 * drawn, MOST_SAMPLES)
        yield Remedy(f"--samples {more}", replace(request, samples=more))
    if request.pass_pipeline is not None:
        return
    changes = [{"edges": "16"}, {"groups": "16"}, {"weights": "8"}, {"activations": "8"}]
    if weakest and "w8=" not in request.opt:
        changes.insert(2, {"w8": "+".join(weakest)})
    for change in changes:
        try:
            opt = changed_preset(request.opt, **change)
        except PipelineError:
            continue  # this method has no such setting
        if opt != request.opt:
            yield Remedy(f"-O {opt}", replace(request, opt=opt))
