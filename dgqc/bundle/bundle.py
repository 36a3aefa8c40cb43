"""The saved artifact: a folder that holds the program, its emitted projects and what is known about them.

manifest.json   format version, provenance, schedule, SHA-256 and size of every file
report.json     what the passes reported
program/        the integer graph, as no target has laid it out yet
TARGET/         what a target emitted, with test vectors: c/, mlir/
config.json     of a diffusers UNet: its config, for `from_pretrained`, and an empty weights file beside it
parts/TARGET/   all programs as one project of this target: parts/c/, parts/mlir/
parts/NAME/     a pipeline's other programs, each a bundle: text_encoder, text_encoder_2, decoder
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..backends.registry import import_layouts
from ..backends.selection import check_sizes, check_targets, select_targets, without_layout
from ..backends.target import Target, Watch, ignore
from ..ir.errors import DgqcError
from ..ir.level import Level
from ..ir.program import Program
from ..ir.reading import reading
from ..ir.storage.json_text import read_json_object
from ..ir.storage.schema import checked
from ..ir.storage.serialize import load_program, save_program
from ..ir.storage.whole import refuse_foreign, whole_folder
from ..ir.typed import typed
from ..passes.manager.instruments import Instrument
from ..passes.manager.pipeline import format_configured
from .diffusers_files import CONFIG, read_config, write_diffusers_files
from .manifest import DAMAGED, NAME, Manifest, Provenance, check_files, list_files, read_manifest
from .report_record import ReportRecord
from .vectors import ReferenceEvidence

PROGRAM = "program"
REPORT = "report.json"
PARTS = "parts"
UNET = "unet"
"""What the program itself is called beside its parts."""
NUMBERS = re.compile(r"\[\n[-+.,eE\d\s]*\]")
SUMMARY, ARENA, WORK = "summary", "arena_bytes", "macs_g"
"""Where a report says how much working memory a program takes, and how many products it multiplies."""
SIZES = "sizes"
"""The entry of what programs of other sizes take, by size."""


@dataclass(frozen=True)
class Contents:
    """What a bundle keeps: the program, what was compiled and how, what the passes reported.

    parts: of a pipeline, its other programs by name.
    """

    program: Program
    provenance: Provenance
    report: Mapping[str, Any]
    parts: Mapping[str, Contents] = field(default_factory=dict)


@typed
def save(
    contents: Contents,
    directory: Path,
    targets: Sequence[str | Target] | None = None,
    *,
    weights: str | None = None,
    prefix: str | None = None,
    instruments: Sequence[Instrument] = (),
    verify_each: bool = True,
    watch: Watch = ignore,
) -> Path:
    """Writes a bundle as a whole or not at all, in the place of an older bundle where there is one.

    targets: what to emit, such as "c" or "c{weights=file}"; None takes the favoured ones.
    weights: where the constants go, for a target that has this option.
    prefix: what symbols and files of the C project begin with, so that two fit into one application.
    instruments: told about the targets' passes. verify_each: whether what they make is verified.
    watch: told each stage of an emission.
    Raises DgqcError when something else than a bundle stands there, or it can't be written.
    """
    chosen = select_targets(targets, weights=weights, prefix=prefix)
    check_targets(chosen)
    check_sizes(chosen, tuple(contents.program.sizes))
    emission = _Emission(chosen, instruments, verify_each, watch)
    with whole_folder(directory, refuse_other_than_bundle) as folder:
        _write(contents, folder, emission)
    return directory


@dataclass(frozen=True)
class _Emission:
    """What is emitted of each program, and who looks on."""

    targets: tuple[Target, ...]
    instruments: Sequence[Instrument]
    verify_each: bool
    watch: Watch

    def of_part(self, name: str) -> _Emission:
        """The same for a part, whose symbols have names of their own, to fit into one application."""
        found = tuple(target.of_part(name) for target in self.targets)
        return replace(self, targets=found)


def _write(contents: Contents, folder: Path, emission: _Emission) -> Mapping[str, Program]:
    """All files of a bundle, its parts first. Returns the program as each target laid it out."""
    program, report = contents.program, dict(contents.report)
    evidence = ReferenceEvidence(program)
    parts = {}
    for name, part in contents.parts.items():
        place = folder / PARTS / name
        place.mkdir(parents=True)
        parts[name] = _write(part, place, emission.of_part(name))
    save_program(program, folder / PROGRAM)
    laid_out = {}
    for target in emission.targets:
        found = target.lay_out(program, emission.instruments, verified=emission.verify_each)
        target.emit(found, folder / target.name, evidence, emission.watch)
        report = _with_layout(report, target, found)
        laid_out[target.name] = found
        if parts:
            all_of_them = {
                UNET: replace(found, sizes={}),
                **{name: part[target.name] for name, part in parts.items()},
            }
            target.join(all_of_them, folder / PARTS / target.name)
    _write_json(folder / REPORT, _with_memory(report, program))
    if contents.provenance.config is not None:
        write_diffusers_files(folder, contents.provenance.config, contents.provenance.opt)
    texts = tuple(format_configured(target) for target in emission.targets)
    manifest = Manifest(
        contents.provenance, program.schedule, list_files(folder), texts, tuple(program.sizes)
    )
    _write_json(folder / NAME, manifest.to_json())
    return laid_out


def read(directory: Path) -> Contents:
    """What a bundle keeps.

    Raises DgqcError when anything is missing, altered or of another format.
    """
    with reading(str(directory), DAMAGED):
        manifest = read_manifest(directory)
        check_files(directory, manifest)
        import_layouts()
        program = without_layout(load_program(directory / PROGRAM))
    if program.level is not Level.INTEGER:
        raise DgqcError(f"{directory} holds a program at the {program.level} level; {DAMAGED}.")
    if program.schedule != manifest.schedule:
        raise DgqcError(f"{directory} says one schedule in {NAME} and another in its program; {DAMAGED}.")
    parts = {name: read(directory / PARTS / name) for name in part_names(directory)}
    config = read_config(directory, DAMAGED) if CONFIG in manifest.files else None
    return Contents(program, replace(manifest.provenance, config=config), read_report(directory), parts)


def part_names(directory: Path) -> tuple[str, ...]:
    """The parts that a bundle has beside its UNet, in order."""
    return tuple(sorted(path.parent.name for path in (directory / PARTS).glob(f"*/{NAME}")))


def read_report(directory: Path, kind: type[ReportRecord] = ReportRecord) -> dict[str, Any]:
    """What the passes reported, by pass name. kind: what must be there. Raises DgqcError where it isn't."""
    found = read_json_object(directory / REPORT, DAMAGED)
    checked(kind, found, str(directory / REPORT), DAMAGED)
    return found


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


def _with_layout(report: dict[str, Any], target: Target, laid_out: Program) -> dict[str, Any]:
    """The report with what a target's passes reported, and its working memory where nobody said so before."""
    added = {name: entry for name, entry in laid_out.report.items() if name not in report}
    summary, memory = report.get(SUMMARY), target.working_memory(laid_out)
    if summary is not None and memory is not None and ARENA not in summary:
        added[SUMMARY] = {**summary, ARENA: memory}
        if laid_out.sizes:
            added[SIZES] = {name: _taken(target, one) for name, one in laid_out.sizes.items()}
    return {**report, **added}


def _taken(target: Target, laid_out: Program) -> dict[str, Any]:
    """What a call of another size takes."""
    work = laid_out.report.get(SUMMARY, {}).get(WORK)
    return {WORK: work, ARENA: target.working_memory(laid_out)}


def _with_memory(report: dict[str, Any], program: Program) -> dict[str, Any]:
    """The report with the working memory of a favoured target, where none that was emitted plans any."""
    for target in select_targets():
        if SUMMARY in report and ARENA not in report[SUMMARY]:
            report = _with_layout(report, target, target.lay_out(program))
    return report


def _write_json(path: Path, data: Any) -> None:
    """Indented, lists of numbers in one line."""
    text = NUMBERS.sub(lambda one: " ".join(one[0].split()), json.dumps(data, indent=2, default=str))
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
