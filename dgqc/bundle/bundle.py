"""The saved artifact: a folder that holds the program, its emitted projects and what is known about them.

manifest.json   format version, provenance, schedule, SHA-256 and size of every file
report.json     what the passes reported
program/        the integer graph
c/              the C project with test vectors, of a program compiled with --target c
mlir/           the MLIR project with test vectors, of a program compiled with --target mlir
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..backends import c, mlir
from ..execution.backends import C_PROJECT, MLIR_PROJECT
from ..ir.errors import DgqcError
from ..ir.program import Program
from ..ir.storage.json_text import read_json_object
from ..ir.storage.serialize import load_program, save_program
from ..ir.vector import Vector
from .manifest import DAMAGED, NAME, Manifest, Provenance, check_files, list_files, read_manifest
from .output_directory import refuse_foreign, written_whole
from .vectors import reference_drawing, reference_vectors

PROGRAM = "program"
TARGETS = (C_PROJECT, MLIR_PROJECT)
REPORT = "report.json"


@dataclass(frozen=True)
class Contents:
    """What a bundle keeps: the program, what was compiled and how, what the passes reported."""

    program: Program
    provenance: Provenance
    report: Mapping[str, Any]


def save(
    contents: Contents,
    directory: Path,
    targets: Sequence[str] = (C_PROJECT,),
    *,
    weights: str | None = None,
    watch: Callable[[str, Any], None] | None = None,
) -> Path:
    """Writes a bundle as a whole or not at all, in the place of an older bundle where there is one.

    targets: what to emit, of `TARGETS`.
    weights: where the C project's constants go: "array", "object" or "file"; None chooses by their size.
    watch: told each pass of the MLIR pipeline and the module it left.
    Raises DgqcError when something else than a bundle stands there, or it can't be written.
    """
    check_targets(targets, weights)
    with written_whole(directory, refuse_other_than_bundle) as folder:
        save_program(contents.program, folder / PROGRAM)
        vectors = reference_vectors(contents.program)
        if C_PROJECT in targets:
            drawing = reference_drawing(contents.program)
            storage = None if weights is None else c.Storage(weights)
            c.emit(contents.program, folder / C_PROJECT, vectors=vectors, drawing=drawing, storage=storage)
        if MLIR_PROJECT in targets:
            _emit_mlir(contents.program, folder / MLIR_PROJECT, vectors, watch)
        _write_json(folder / REPORT, dict(contents.report))
        manifest = Manifest(contents.provenance, contents.program.schedule, list_files(folder))
        _write_json(folder / NAME, manifest.to_json())
    return directory


def read(directory: Path) -> Contents:
    """What a bundle keeps.

    Raises DgqcError when anything is missing, altered or of another format.
    """
    manifest = read_manifest(directory)
    check_files(directory, manifest)
    program = load_program(directory / PROGRAM)
    if program.schedule != manifest.schedule:
        raise DgqcError(f"{directory} says one schedule in {NAME} and another in its program; {DAMAGED}.")
    return Contents(program, manifest.provenance, read_report(directory))


def read_report(directory: Path) -> dict[str, Any]:
    """What the passes reported, by pass name."""
    return read_json_object(directory / REPORT, "it is damaged; compile the model again")


def check_output(directory: Path) -> None:
    """Raises DgqcError when a bundle can't be written there; to be asked before hours of work."""
    refuse_foreign(directory, refuse_other_than_bundle)


def refuse_other_than_bundle(directory: Path) -> None:
    """Raises DgqcError unless the folder is a bundle and holds nothing else."""
    try:
        manifest = read_manifest(directory)
    except DgqcError as error:
        raise DgqcError(
            f"{directory} exists and is not a dgqc bundle, so it is left alone; choose another output folder."
        ) from error
    present = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
    foreign = sorted(present - set(manifest.files) - {NAME})
    if foreign:
        raise DgqcError(
            f"{directory} holds {foreign[0]}, which dgqc did not write, so it is left alone; remove it or "
            "choose another output folder."
        )


def check_targets(targets: Sequence[str], weights: str | None = None) -> None:
    """Raises DgqcError for an unknown target, one that can't be emitted here, and `weights` without C."""
    for target in targets:
        if target not in TARGETS:
            raise DgqcError(f"There is no target {target!r}; choose c, mlir or c,mlir.")
    if weights is not None and C_PROJECT not in targets:
        raise DgqcError(
            f"weights={weights} says where the C project's constants go, but C isn't a target; add it."
        )
    reason = mlir.missing(MLIR_PROJECT) if MLIR_PROJECT in targets else None
    if reason:
        raise DgqcError(f"The target mlir can't be emitted: {reason}.")


def _emit_mlir(
    program: Program,
    folder: Path,
    vectors: Sequence[Vector],
    watch: Callable[[str, Any], None] | None,
) -> None:
    from ..backends.mlir.emission.emit import emit
    from ..backends.mlir.lowering.pipeline import ignore

    emit(program, folder, vectors=vectors, watch=watch or ignore)


def _write_json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=2, default=str) + "\n", encoding="utf-8")
