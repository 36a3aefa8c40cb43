"""What `interface.json` of an emitted C project holds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ....ir.storage.schema import AxisSizes, Bytes, NamedShape, Record

MOST_CALLS = 100_000
MOST_CHANNELS = 1_000_000

CIdentifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=1000)]
PerCall = Annotated[list[float], Field(max_length=MOST_CALLS)]


class RatiosRecord(Record):
    """`Ratios` of an input."""

    run: Annotated[int, Field(ge=1)]
    factors: Annotated[list[float], Field(min_length=1, max_length=MOST_CHANNELS)]


class EmittedSignatureRecord(Record):
    """A `Signature`; timesteps, scales, drawings and ratios are younger than the rest."""

    name: CIdentifier
    inputs: Annotated[list[NamedShape], Field(max_length=64)]
    output: AxisSizes
    steps: Annotated[int, Field(ge=1, le=MOST_CALLS)]
    shared_bytes: Bytes
    thread_bytes: Bytes
    storage: Literal["array", "object", "file", "stream"]
    weights_bytes: Bytes
    sources: Annotated[list[CIdentifier], Field(min_length=1, max_length=10_000)]
    timesteps: PerCall = Field(default=[])
    scales: dict[CIdentifier, PerCall] = Field(default={})
    draw_bytes: Bytes = 0
    ratios: dict[CIdentifier, RatiosRecord] = Field(default={})
    noise_pictures: Annotated[int, Field(ge=0, le=MOST_CALLS)] = 0
    cache_bytes: Bytes = 0
    cache_offset: Bytes = 0
