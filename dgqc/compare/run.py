"""All candidates on one workload. What is measured once is kept, so an interrupted run goes on from there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.metadata import version
from typing import Any

import numpy as np

from ..ir.devices import device_here, kinds
from ..ir.ranks import shared_out
from ..report.report import bops
from .candidates import FLOAT, Candidate, candidate
from .drawing import Pictures, PictureSeries, draw
from .execution import Executable, build, call, facts
from .judges import Judge
from .row import Row
from .store import Store
from .trajectory import signal_to_noise
from .workload import Workload


def compare(wanted: Sequence[Candidate], workload: Workload, store: Store) -> Iterator[Row]:
    """A row for each candidate, as soon as it is whole; the float model's first where pictures are drawn.
    Ranks share the rows. The judge has read the prompts when the workload was made."""
    compared = [one for one in wanted if one.passes]
    if workload.drawings and workload.judge is not None:
        compared.insert(0, candidate(FLOAT))
        for drawing in workload.drawings.values():
            Measured(compared[0], workload, store).pictures(drawing)  # beside which every row is judged
    yield from shared_out(lambda one: Measured(one, workload, store).row(), compared, one_by_one=True)


def pictures_of(
    wanted: Sequence[Candidate], workload: Workload, store: Store, count: int
) -> dict[str, DrawnColumns]:
    """The first pictures of each set of prompts, the float model's first; none where nothing was judged. They
    were drawn and kept by `compare`, so this is quick behind it."""
    if workload.judge is None:
        return {}
    shown = [candidate(FLOAT), *(one for one in wanted if one.passes)]
    return {
        name: DrawnColumns(
            drawing.prompts[:count],
            {one.name: Measured(one, workload, store).pictures(drawing)[:count] for one in shown},
        )
        for name, drawing in workload.drawings.items()
    }


@dataclass(frozen=True)
class DrawnColumns:
    """Pictures of one set of prompts, by the name of what drew them."""

    prompts: Sequence[str]
    pictures: Mapping[str, Pictures]


class Measured:
    """One candidate's measurements. It is compiled only where one of them isn't kept yet."""

    def __init__(self, one: Candidate, workload: Workload, store: Store) -> None:
        self.one, self.workload, self.store = one, workload, store
        asked = workload.request_for(one.passes).recorded()
        self.key = [version("dgqc"), workload.identity, asked, *kinds(device_here())]
        self.seconds: dict[str, float] = {}

    @cached_property
    def program(self) -> Executable | None:
        """None stands for the float model."""
        return build(self.one, self.workload) if self.one.passes else None

    def row(self) -> Row:
        costs, widths, judge = self.workload.start.costs, self.one.widths, self.workload.judge
        about: dict[str, Any] = {"size_mb": 4 * costs.parameters / 1e6}
        if self.one.passes:
            about = self._timed("compile", [], self._facts)
            about["snr_db"] = self._timed("trajectory", [self.workload.held_out_identity], self._snr)
        judged: dict[str, float] = {}
        if judge is not None:
            for name, drawing in self.workload.drawings.items():
                key, make = [drawing.to_json(), judge.name], partial(self._judged, drawing, judge)
                figures = self._timed("draw", key, make)
                judged |= {f"{name} {column}".strip(): value for column, value in figures.items()}
                about["pictures"] = len(drawing.prompts)
        return Row(
            name=self.one.name,
            runs_as=self.one.runs_as,
            passes=self.one.passes,
            bops_t=bops(costs.macs(), widths.weight_bits, widths.activation_bits) / 1e12,
            judged=judged,
            seconds=self.seconds,
            **about,
        )

    def pictures(self, drawing: PictureSeries) -> Pictures:
        """Drawn, or kept from an earlier time."""

        def kept(part: PictureSeries) -> Pictures:
            return self.store.pictures([*self.key, part.to_json()], partial(self._draw, part))

        return np.concatenate(list(shared_out(kept, drawing.parts(), one_by_one=True)))

    def _draw(self, drawing: PictureSeries) -> Pictures:
        return draw(drawing, self.program)

    def _facts(self) -> dict[str, Any]:
        assert self.program is not None
        return facts(self.program)

    def _snr(self) -> list[float]:
        program = self.program
        assert program is not None
        return signal_to_noise(partial(call, program), self.workload.references)

    def _judged(self, drawing: PictureSeries, judge: Judge) -> dict[str, float]:
        floats = Measured(candidate(FLOAT), self.workload, self.store)
        beside = floats.pictures(drawing) if self.one.passes else None
        return judge.judge(self.pictures(drawing), drawing.prompts, beside)

    def _timed(self, what: str, key: Sequence[Any], make: Callable[[], Any]) -> Any:
        """A measurement, kept with the seconds it took."""

        def timed() -> dict[str, Any]:
            start = time.perf_counter()
            value = make()
            return {"value": value, "seconds": round(time.perf_counter() - start, 1)}

        found = self.store.value([*self.key, what, *key], timed)
        self.seconds[what] = self.seconds.get(what, 0.0) + found["seconds"]
        return found["value"]
