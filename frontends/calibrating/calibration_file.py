"""Recorded UNet calls in one safetensors file.

Tensors are called `step/batch/input`, `003/000/sample`; one that does not change from call to call (a
context, the time ids) stands once, under `shared/batch/input`. The metadata holds the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ...ir.calibration import Calibration, Inputs
from ...ir.errors import DgqcError
from ...ir.reading import reading
from ...ir.schedule import Schedule
from ...ir.storage.json_text import parse_json
from ...ir.storage.schema import Record, ScheduleRecord, Text, checked
from ...ir.storage.whole import whole_file
from ...ir.typed import typed
from ..loading.arguments import place_of

FORMAT = 1
"""Version of the file format; files of a newer one are refused."""

TYPES = frozenset({"F16", "BF16", "F32", "F64", "I32", "I64"})
"""What an input may be stored as."""


class RecordingRecord(Record):
    """`Recording` in the file."""

    format: Literal[1]
    schedule: ScheduleRecord
    synthetic: bool
    origin: Text
    prompts_sha256: Text
    seeds: Annotated[list[int], Field(max_length=10_000_000)]
    guidance_scale: float | None
    versions: dict[str, Text]


@dataclass(frozen=True)
class Recording:
    """What a calibration file says about itself.

    prompts: SHA-256 of the prompts, in order, in hexadecimal; "" for synthetic samples.
    guidance_scale: None where the pipeline has none.
    versions: library name to version.
    """

    schedule: Schedule
    synthetic: bool
    origin: str
    prompts: str
    seeds: tuple[int, ...]
    guidance_scale: float | None
    versions: Mapping[str, str]


def save_calibration(
    path: str | Path, recording: Recording, calls: Iterable[tuple[int, int, Inputs]]
) -> None:
    """Writes recorded calls to a temporary file beside `path` and renames it.

    calls: (step, batch, inputs) in any order; all are held in memory until written. An input of one
        batch that is equal at all calls is stored once.
    Raises DgqcError when the file can't be written.
    """
    found = Path(path)
    recorded: dict[int, dict[int, Inputs]] = {}
    for step, batch, inputs in calls:
        recorded.setdefault(batch, {})[step] = inputs
    tensors: dict[str, torch.Tensor] = {}
    for batch, by_step in recorded.items():
        tensors.update(_batch_tensors(batch, by_step))
    metadata = {"dgqc_calibration": json.dumps({"format": FORMAT, **_to_json(recording)})}
    try:
        with whole_file(found) as unfinished:
            save_file(tensors, str(unfinished), metadata=metadata)
    except SafetensorError as error:
        raise DgqcError(
            f"The calibration can't be written to {found} ({error}); give a writable path."
        ) from error


@typed
def load_calibration(path: str | Path) -> Calibration:
    """A calibration that reads one batch at a time from the file.

    Raises DgqcError for a file that is missing, cut off, of a newer format, or whose calls are incomplete
    or of the wrong shape.
    """
    found = Path(path)
    if found.is_dir():
        raise DgqcError(f"{found} is a folder; give the .safetensors that `dgqc calibrate` wrote.")
    if not found.is_file():
        raise DgqcError(f"{found} does not exist; record one with `dgqc calibrate`.")
    with (
        reading(str(found), "it is not a complete safetensors file; record it again"),
        safe_open(found, framework="pt", device="cpu") as file,
    ):
        metadata = file.metadata() or {}
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
        shapes = {name: tuple(one.get_shape()) for name, one in slices.items()}
        types = {name: one.get_dtype() for name, one in slices.items()}
    for name, kind in types.items():
        if kind not in TYPES:
            raise DgqcError(f"{found}: {name} is of type {kind}, which no input has; record it again.")
    recording = _from_json(metadata.get("dgqc_calibration"), found)
    batches = _batches(shapes, recording.schedule, found)

    def read(step: int) -> Iterator[Inputs]:
        for names in batches[step]:
            with (
                reading(str(found), "it changed since it was opened; record it again"),
                safe_open(found, framework="pt", device="cpu") as file,
            ):
                values = {name: file.get_tensor(key) for name, key in names.items()}
            yield values

    return Calibration(
        recording.schedule,
        read,
        recording.synthetic,
        recording.origin,
        recording.versions,
        guidance_scale=recording.guidance_scale,
    )


def _batch_tensors(batch: int, by_step: Mapping[int, Inputs]) -> Iterator[tuple[str, torch.Tensor]]:
    first = next(iter(by_step.values()))
    shared = {
        name
        for name in first
        if len(by_step) > 1 and all(torch.equal(inputs[name], first[name]) for inputs in by_step.values())
    }
    for name in shared:
        yield f"shared/{batch:03d}/{name}", first[name].contiguous().clone()
    for step, inputs in by_step.items():
        for name in inputs.keys() - shared:
            yield f"{step:03d}/{batch:03d}/{name}", inputs[name].contiguous().clone()


def _batches(
    shapes: Mapping[str, tuple[int, ...]], schedule: Schedule, path: Path
) -> list[list[dict[str, str]]]:
    """For each call and batch, the tensor's key by input name."""
    shared: dict[str, dict[str, str]] = {}
    calls: dict[int, dict[str, dict[str, str]]] = {step: {} for step in range(len(schedule))}
    for key, shape in sorted(shapes.items()):
        where, batch, name = key.split("/") if key.count("/") == 2 else ("", "", key)
        place = place_of(name)
        if (
            place is None
            or name == "timestep"
            or not (
                where == "shared"
                or (where.isascii() and where.isdigit() and len(where) < 10 and int(where) in calls)
            )
        ):
            raise DgqcError(
                f"{path} holds a tensor {key!r}, which is no input of a recorded call; record it again."
            )
        if len(shape) not in place.ranks or 0 in shape:
            raise DgqcError(f"{path}: {key} has shape {shape}, which {name} can't have; record it again.")
        places = shared if where == "shared" else calls[int(where)]
        places.setdefault(batch, {})[name] = key
    first: dict[str, tuple[int, ...]] | None = None
    result: list[list[dict[str, str]]] = []
    for step, batches in calls.items():
        result.append([{**shared.get(batch, {}), **names} for batch, names in sorted(batches.items())])
        if not batches:
            raise DgqcError(f"{path} holds nothing for call {step} of {len(schedule)}; record it again.")
        for names in result[-1]:
            sizes = {name: shapes[key] for name, key in names.items()}
            if "sample" not in sizes or len({size[0] for size in sizes.values()}) != 1:
                raise DgqcError(
                    f"{path}: call {step} has inputs of shapes {sizes}, which is no batch; record it again."
                )
            each = {name: size[1:] for name, size in sizes.items()}
            first = first or each
            if each != first:
                raise DgqcError(
                    f"{path}: call {step} has inputs {each}, but earlier ones {first}; record it again."
                )
    return result


def _to_json(recording: Recording) -> dict[str, Any]:
    return {
        "schedule": recording.schedule.to_json(),
        "synthetic": recording.synthetic,
        "origin": recording.origin,
        "prompts_sha256": recording.prompts,
        "seeds": list(recording.seeds),
        "guidance_scale": recording.guidance_scale,
        "versions": dict(recording.versions),
    }


def _from_json(text: str | None, path: Path) -> Recording:
    if text is None:
        raise DgqcError(
            f"{path} is a safetensors file without a calibration in it; record one with `dgqc calibrate`."
        )
    data = parse_json(text, f"The metadata of {path}", "record it again")
    version = data.get("format") if isinstance(data, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise DgqcError(
            f"{path} has calibration format {version}, but this dgqc reads up to {FORMAT}; update dgqc."
        )
    record = checked(RecordingRecord, data, f"The metadata of {path}", "it is damaged; record it again")
    return Recording(
        schedule=Schedule.from_json(record.schedule.model_dump()),
        synthetic=record.synthetic,
        origin=record.origin,
        prompts=record.prompts_sha256,
        seeds=tuple(record.seeds),
        guidance_scale=record.guidance_scale,
        versions=record.versions,
    )
