"""What `report.json` of a bundle holds: what passes reported, and the figures that are read from it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field

from ..ir.storage.schema import JSON, Bytes, Record, Text

Figure = Annotated[float, Field(ge=0, le=1e30)]
Figures = dict[Text, Figure]
Decibels = Annotated[float, Field(ge=-1000, le=1000)]
Simulated = Annotated[float, Field(ge=-10_000, le=10_000)]
"""Decibels of a simulation, which has thousands where nothing is lost."""
BitWidth = Annotated[int, Field(ge=1, le=64)]


class _Open(Record):
    """With whatever else passes of other packages report."""

    model_config = ConfigDict(extra="allow")


class SummaryRecord(_Open):
    """The figures of the whole program."""

    float_size_mb: Figure
    size_mb: Figure
    bops_t: Figure
    bops_as_built_t: Figure
    macs_g: Figure
    macs_by_kind_g: Figures
    macs_by_layer_g: Figures = Field(default={})
    parameters_m: Figure
    table_bytes: Bytes
    size_bytes: Figures
    weight_bits: BitWidth
    activation_bits: BitWidth
    groups: Annotated[int, Field(ge=0, le=2**31)]
    notes: Annotated[list[Text], Field(max_length=1000)]
    probabilities: dict[Text, Text] = Field(default={})
    arena_bytes: Bytes = 0


class QualityRecord(_Open):
    """What running the program beside the float model gave, in decibels."""

    calls: dict[Text, Decibels]
    drawing: Decibels | None
    origin: Text
    unseen: bool
    bound: Decibels
    least: Decibels
    sentence: Text


class PeakRecord(_Open):
    """When most memory is in use."""

    group: int
    bytes: Bytes


class BufferPlaceRecord(_Open):
    """One value in the arena."""

    name: Text
    bytes: Bytes
    offset: Bytes
    first: int
    last: int


class MemoryRecord(_Open):
    """Of the pass that plans an arena."""

    arena_bytes: Bytes
    shared_bytes: Bytes
    thread_bytes: Bytes
    peak: PeakRecord
    buffers: list[BufferPlaceRecord]


class ErrorsRecord(_Open):
    """Of the pass that measures errors: decibels by layer, of all measured calls and of each, and by call
    without quantization, null where nothing differs."""

    decibels: dict[Text, float | None]
    by_call: dict[Text, dict[Text, float | None]] = Field(default={})
    integers: dict[Text, float | None] = Field(default={})
    scores: dict[Text, dict[Text, list[list[float]]]] = Field(default={})


class SeenSiteRecord(_Open):
    """Of one operand: peaks of channels and pixels; of its groups, the ranges at each call that is kept."""

    module: Text
    channels: list[float]
    pixels: list[float]
    dimension: Text = ""
    members: list[int] = Field(default=[])
    low: list[list[float]] = Field(default=[])
    high: list[list[float]] = Field(default=[])


class SeenRecord(_Open):
    """What calibration saw."""

    calls: list[int]
    sites: dict[Text, SeenSiteRecord]


class WidthsCountRecord(Record):
    """How many operands and weights a program has."""

    operands: Annotated[int, Field(ge=0, le=2**31)]
    weights: Annotated[int, Field(ge=0, le=2**31)]


class WiderRecord(_Open):
    """Of the pass that leaves operands and weights in wider codes: bits by name, decibels by call before and
    after, bytes and percents of multiply-adds that it costs."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    wide_operands: Annotated[dict[Text, BitWidth], Field(alias="wide-operands")]
    wide_weights: Annotated[dict[Text, BitWidth], Field(alias="wide-weights")]
    before: Annotated[list[Simulated], Field(min_length=1)]
    after: Annotated[list[Simulated], Field(min_length=1)]
    of: WidthsCountRecord
    bytes: Annotated[int, Field(ge=-(2**62), le=2**62)]
    sixteen_bit_percent: Annotated[float, Field(alias="sixteen-bit-percent", ge=0, le=1000)]
    added_percent: Annotated[float, Field(alias="added-percent", ge=0, le=1000)]


KNOWN: dict[str, type[Record]] = {
    "arena_bytes": MemoryRecord,
    "decibels": ErrorsRecord,
    "added-percent": WiderRecord,
}
"""Entries that a report is made of, by the figure that tells them apart."""


def _known(value: JSON) -> Any:
    for figure, record in KNOWN.items():
        if isinstance(value, dict) and figure in value:
            record.model_validate(value)
    return value


class ReportRecord(Record):
    """All of `report.json`: the summary, and an entry for each pass."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[JSON, AfterValidator(_known)]] = Field(init=False)

    summary: SummaryRecord | None = None
    quality: QualityRecord | None = None
    floating: dict[Text, Text] = Field(default={}, alias="floating-parts")
    seen: SeenRecord | None = None


class CountedReportRecord(ReportRecord):
    """A report that says what the program costs."""

    summary: SummaryRecord
