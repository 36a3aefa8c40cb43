"""What a bundle says about itself: `manifest.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import Field

from ..ir.errors import DgqcError
from ..ir.schedule import Schedule
from ..ir.storage.json_text import read_json_object
from ..ir.storage.schema import Bytes, Record, ScheduleRecord, Sha256, Size, Text, checked
from ..ir.storage.whole import recover

NAME = "manifest.json"
KIND = "dgqc bundle"
FORMAT = 3
"""Raised whenever an older dgqc could misread a bundle, or a bundle of an older one could be misread. 3 is
the first whose manifest protects itself."""
OWN_HASH = "sha256_of_the_rest"
"""Key of the manifest's own hash, so that an edited one is noticed. It is no signature: whoever edits can
renew it."""
DAMAGED = "copy the bundle or compile the model again"


class FileRecord(Record):
    """`FileEntry` in the manifest."""

    sha256: Sha256
    size: Bytes


class InputRecord(Record):
    """`InputShape` in the manifest, under its name."""

    shape: Annotated[list[Size], Field(max_length=8)]
    floating: bool


class CalibrationRecord(Record):
    """Where the ranges come from."""

    origin: Text
    synthetic: bool


class ManifestRecord(Record):
    """All of `manifest.json`, but its own hash."""

    kind: Literal["dgqc bundle"]
    format: int
    dgqc: Text
    model: Text
    request: dict[str, Text | bool | int | float | list[int] | list[Text] | None]
    pipeline: Text
    targets: Annotated[list[Text], Field(max_length=100)]
    schedule: ScheduleRecord
    calibration: CalibrationRecord
    inputs: dict[str, InputRecord]
    sizes: Annotated[list[Text], Field(max_length=100, default_factory=list)]
    files: dict[str, FileRecord]


@dataclass(frozen=True)
class FileEntry:
    """One file of a bundle: SHA-256 as 64 hex digits, size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class InputShape:
    """One input of the model: its shape for one sample; whether it takes numbers rather than labels."""

    name: str
    shape: tuple[int, ...]
    floating: bool


@dataclass(frozen=True)
class Provenance:
    """What was compiled and how.

    version: of the dgqc that compiled it.
    model: class name of the model.
    pipeline: the passes, as text.
    calibration: where the ranges come from, one line.
    synthetic: whether contexts, or what else only another network knows, were drawn at random.
    inputs: what the model itself takes, without the timestep.
    request: what was asked for, by the names that `dgqc.compile` takes.
    config: a diffusers model's own, as `bundle.diffusers_files` keeps it; None for other models.
    """

    version: str
    model: str
    pipeline: str
    calibration: str
    synthetic: bool
    inputs: tuple[InputShape, ...]
    request: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] | None = None

    @property
    def opt(self) -> str:
        """The preset, or "custom" for a pipeline of the user's own."""
        custom = self.request.get("pass_pipeline") is not None
        return "custom" if custom else str(self.request.get("opt", "custom"))


@dataclass(frozen=True)
class Manifest:
    """What stands in `manifest.json`.

    schedule: the UNet calls the program belongs to.
    files: every other file of the bundle, by its path with forward slashes.
    targets: what was emitted, with options, as `--target` takes it. sizes: that there are besides the first.
    """

    provenance: Provenance
    schedule: Schedule
    files: Mapping[str, FileEntry]
    targets: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        made = self.provenance
        body = {
            "kind": KIND,
            "format": FORMAT,
            "dgqc": made.version,
            "model": made.model,
            "request": dict(made.request),
            "pipeline": made.pipeline,
            "targets": list(self.targets),
            "schedule": self.schedule.to_json(),
            "calibration": {"origin": made.calibration, "synthetic": made.synthetic},
            "inputs": {i.name: {"shape": list(i.shape), "floating": i.floating} for i in made.inputs},
            **({"sizes": list(self.sizes)} if self.sizes else {}),
            "files": {path: {"sha256": f.sha256, "size": f.size} for path, f in sorted(self.files.items())},
        }
        return {**body, OWN_HASH: _hash_of(body)}


def read_manifest(directory: Path) -> Manifest:
    """The manifest of a bundle, its files not yet checked.

    Raises DgqcError when there is none, or it is damaged or of another format.
    """
    path = directory / NAME
    if not directory.exists():
        recover(directory)
    if not path.is_file():
        found = "does not exist" if not directory.exists() else f"has no {NAME}"
        raise DgqcError(f"{directory} {found}; give a folder that `dgqc compile` wrote.")
    data = read_json_object(path, DAMAGED)
    if not is_bundle(data):
        raise DgqcError(f"{path} is no dgqc bundle's manifest; give a folder that `dgqc compile` wrote.")
    version = data.get("format")
    if version != FORMAT:
        remedy = "compile the model again" if isinstance(version, int) and version < FORMAT else "update dgqc"
        raise DgqcError(
            f"{directory} has bundle format {version}, written by dgqc {data.get('dgqc')}, but this dgqc "
            f"reads format {FORMAT}; {remedy}."
        )
    own = data.pop(OWN_HASH, None)
    record = checked(ManifestRecord, data, str(path), DAMAGED)
    if own != _hash_of(data):
        raise DgqcError(f"{path} was altered since it was written; {DAMAGED}.")
    return _manifest(record)


def check_files(directory: Path, manifest: Manifest) -> None:
    """Compares every file with the manifest. Raises DgqcError for the first that is missing or altered."""
    for relative, entry in manifest.files.items():
        path = directory / relative
        if not path.is_file():
            raise DgqcError(f"{directory} is incomplete: {relative} is missing; copy or compile it again.")
        if path.stat().st_size != entry.size or digest(path) != entry.sha256:
            raise DgqcError(
                f"{directory} was altered: {relative} is not the file that its manifest lists; copy or "
                "compile it again."
            )


def list_files(directory: Path) -> dict[str, FileEntry]:
    """Entries of all files below a folder but the manifest."""
    paths = (path for path in sorted(directory.rglob("*")) if path.is_file())
    entries = {
        path.relative_to(directory).as_posix(): FileEntry(digest(path), path.stat().st_size) for path in paths
    }
    entries.pop(NAME, None)
    return entries


def is_bundle(data: Any) -> bool:
    """Whether parsed JSON is the manifest of a bundle of any format."""
    return isinstance(data, dict) and data.get("kind") == KIND


def digest(path: Path) -> str:
    """SHA-256 of a file as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_of(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _manifest(record: ManifestRecord) -> Manifest:
    files = {_inside(path): FileEntry(one.sha256, one.size) for path, one in record.files.items()}
    provenance = Provenance(
        version=record.dgqc,
        model=record.model,
        pipeline=record.pipeline,
        calibration=record.calibration.origin,
        synthetic=record.calibration.synthetic,
        inputs=tuple(InputShape(name, tuple(one.shape), one.floating) for name, one in record.inputs.items()),
        request=record.request,
    )
    schedule = Schedule.from_json(record.schedule.model_dump())
    return Manifest(provenance, schedule, files, tuple(record.targets), tuple(record.sizes))


def _inside(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or set(path) & {"\\", "\0", ":"}:  # C:file on Windows.
        raise DgqcError(f"The bundle's manifest lists {path}, which lies outside the bundle; {DAMAGED}.")
    return path
