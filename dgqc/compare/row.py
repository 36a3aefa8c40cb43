"""One candidate's figures."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

LAST = 5
"""Calls at the end, where an error stays in the picture."""


@dataclass(frozen=True)
class Row:
    """What was measured of a candidate; None and empty where it has no such figure.

    name: the preset. runs_as: integers, simulation or float. passes: the pipeline behind it.
    snr_db: signal to noise of the UNet's output at each call. layers_db: of each layer's output in integers,
    by its place in the model. integers_db: the lowest of any call of the output where nothing but 16-bit
    values is rounded: integers without quantization. pictures: how many of each set of prompts were judged.
    judged: the judge's figures, those of further sets after the set's name.
    size_mb: weights and tables, decimal. bops_t: 10^12 bit operations a call, as the paper counts.
    table_bytes: everything indexed by the call. seconds: what each part of the measuring took, then.
    """

    name: str
    runs_as: str
    passes: str
    snr_db: tuple[float, ...] = ()
    layers_db: Mapping[str, float] = field(default_factory=dict)
    integers_db: float | None = None
    pictures: int = 0
    judged: Mapping[str, float] = field(default_factory=dict)
    size_mb: float | None = None
    bops_t: float | None = None
    table_bytes: int | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def mean_db(self) -> float | None:
        return statistics.fmean(self.snr_db) if self.snr_db else None

    @property
    def last_db(self) -> float | None:
        """Of the last five calls."""
        return statistics.fmean(self.snr_db[-LAST:]) if self.snr_db else None

    @property
    def layer_median_db(self) -> float | None:
        found = self._layers()
        return statistics.median(found) if found else None

    @property
    def layer_worst_db(self) -> float | None:
        return min(self._layers(), default=None)

    def columns(self) -> dict[str, Any]:
        """One value for each column of a table, the judge's own among them."""
        return {
            "preset": self.name,
            "runs as": self.runs_as,
            "SNR dB": self.mean_db,
            f"SNR last {LAST} dB": self.last_db,
            "median layer dB": self.layer_median_db,
            "worst layer dB": self.layer_worst_db,
            "integers dB": self.integers_db,
            **{name.replace("_", " "): value for name, value in self.judged.items()},
            "size MB": self.size_mb,
            "TBOPs": self.bops_t,
            "table bytes": self.table_bytes,
        }

    def to_json(self) -> dict[str, Any]:
        """All but the seconds, which differ from run to run."""
        found = asdict(self) | {"columns": self.columns()}
        del found["seconds"]
        return found

    def _layers(self) -> list[float]:
        return [value for value in self.layers_db.values() if value is not None]
