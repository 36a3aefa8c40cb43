"""What a bundle says about itself: `manifest.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..ir.errors import DgqcError
from ..ir.schedule import Schedule

NAME = "manifest.json"
KIND = "dgqc bundle"
FORMAT = 2
"""Raised whenever an older dgqc could misread a bundle, or a bundle of an older one could be misread. 2 is
the first with images stored channels last at the integer level."""


@dataclass(frozen=True)
class FileEntry:
    """One file of a bundle: SHA-256 as 64 hex digits, size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class ModelInput:
    """One input of the model: its shape for one sample; whether it takes numbers rather than labels."""

    name: str
    shape: tuple[int, ...]
    floating: bool


@dataclass(frozen=True)
class Provenance:
    """What was compiled and how.

    version: of the dgqc that compiled it.
    model: class name of the model.
    opt: the preset, or "custom" for a pipeline of the user's own.
    pipeline: the passes, as text.
    calibration: where the ranges come from, one line.
    synthetic: whether that was denoising noise without prompts.
    inputs: what the model itself takes, without the timestep.
    loop: the denoising loop's sampler, "ddim", or None where there is no loop.
    """

    version: str
    model: str
    opt: str
    pipeline: str
    calibration: str
    synthetic: bool
    inputs: tuple[ModelInput, ...]
    loop: str | None = None


@dataclass(frozen=True)
class Manifest:
    """What stands in `manifest.json`.

    schedule: the UNet calls the program belongs to.
    files: every other file of the bundle, by its path with forward slashes.
    """

    provenance: Provenance
    schedule: Schedule
    files: Mapping[str, FileEntry]

    def to_json(self) -> dict[str, Any]:
        made = self.provenance
        return {
            "kind": KIND,
            "format": FORMAT,
            "dgqc": made.version,
            "model": made.model,
            "opt": made.opt,
            "pipeline": made.pipeline,
            "schedule": self.schedule.to_json(),
            "loop": made.loop,
            "calibration": {"origin": made.calibration, "synthetic": made.synthetic},
            "inputs": {i.name: {"shape": list(i.shape), "floating": i.floating} for i in made.inputs},
            "files": {path: {"sha256": f.sha256, "size": f.size} for path, f in sorted(self.files.items())},
        }


def read_manifest(directory: Path) -> Manifest:
    """The manifest of a bundle, its files not yet checked.

    Raises DgqcError when there is none, or it is damaged or of another format.
    """
    path = directory / NAME
    if not path.is_file():
        found = "does not exist" if not directory.exists() else f"has no {NAME}"
        raise DgqcError(f"{directory} {found}; give a folder that `dgqc compile` wrote.")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise DgqcError(f"{path} can't be read ({error}); compile the model again.") from error
    if not is_bundle(data):
        raise DgqcError(f"{path} is no dgqc bundle's manifest; give a folder that `dgqc compile` wrote.")
    found = data.get("format")
    if found != FORMAT:
        remedy = "compile the model again" if isinstance(found, int) and found < FORMAT else "update dgqc"
        raise DgqcError(
            f"{directory} has bundle format {found}, written by dgqc {data.get('dgqc')}, but this dgqc reads "
            f"format {FORMAT}; {remedy}."
        )
    try:
        return _from_json(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DgqcError(f"{path} is damaged ({error!r}); compile the model again.") from error


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


def _from_json(data: Mapping[str, Any]) -> Manifest:
    files = {
        _inside(path): FileEntry(str(one["sha256"]), int(one["size"])) for path, one in data["files"].items()
    }
    provenance = Provenance(
        version=str(data["dgqc"]),
        model=str(data["model"]),
        opt=str(data["opt"]),
        pipeline=str(data["pipeline"]),
        calibration=str(data["calibration"]["origin"]),
        synthetic=bool(data["calibration"]["synthetic"]),
        inputs=tuple(
            ModelInput(str(name), tuple(int(size) for size in one["shape"]), bool(one["floating"]))
            for name, one in data["inputs"].items()
        ),
        loop=data.get("loop"),
    )
    return Manifest(provenance, Schedule.from_json(data["schedule"]), files)


def _inside(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise ValueError(f"{path} lies outside the bundle")
    return path
