"""Whether the projects in a bundle are what this dgqc would write, file by file."""

from __future__ import annotations

import filecmp
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from ..backends.selection import select_targets
from ..ir.errors import DgqcError
from ..ir.program import Program
from .bundle import PARTS, UNET
from .manifest import read_manifest
from .vectors import ReferenceEvidence


@dataclass(frozen=True)
class Shipped:
    """What became of a bundle's projects.

    compared: targets whose projects were written again. altered: by target, the first file that differs, and
    how. skipped: by target, why its project wasn't compared.
    """

    compared: tuple[str, ...]
    altered: Mapping[str, str]
    skipped: Mapping[str, str]


def compare_shipped(directory: Path, program: Program, parts: Mapping[str, Program] | None = None) -> Shipped:
    """Emits a bundle's projects again and compares every file: none missing, none more, all bytes the same.

    parts: the other programs of a pipeline, for what is emitted of all together.

    The vectors in them are computed by the reference again, so this takes as long as emitting did.
    """
    manifest = read_manifest(directory)
    compared, altered, skipped = list[str](), dict[str, str](), dict[str, str]()
    evidence = ReferenceEvidence(program)
    for text in manifest.targets:
        name = text.partition("{")[0]
        if manifest.provenance.version != version("dgqc"):
            skipped[name] = f"dgqc {manifest.provenance.version} wrote it, and this is {version('dgqc')}"
            continue
        try:
            (target,) = select_targets([text])
        except DgqcError as error:
            skipped[name] = str(error).rstrip(".")
            continue
        if reason := target.unavailable():
            skipped[name] = reason
            continue
        compared.append(name)
        with TemporaryDirectory(prefix="dgqc-shipped-") as folder:
            laid_out, written = target.lay_out(program, verified=False), Path(folder)
            target.emit(laid_out, written / name, evidence)
            places = [name]
            if parts:
                others = {
                    part: target.of_part(part).lay_out(one, verified=False) for part, one in parts.items()
                }
                target.join({UNET: replace(laid_out, sizes={}), **others}, written / PARTS / name)
                places.append(f"{PARTS}/{name}")
            each = (_differences(written / place, directory / place) for place in places)
            found = next(chain.from_iterable(each), None)
        if found is not None:
            altered[name] = found
    return Shipped(tuple(compared), altered, skipped)


def _differences(written: Path, shipped: Path) -> Iterator[str]:
    """What is wrong with a shipped folder, a sentence for each file."""
    wanted, found = _files(written), _files(shipped)
    for path in sorted(found - wanted):
        yield f"{shipped.name}/{path} is not one of the files that dgqc writes"
    for path in sorted(wanted - found):
        yield f"{shipped.name}/{path} is missing"
    for path in sorted(wanted & found):
        if not filecmp.cmp(written / path, shipped / path, shallow=False):
            yield f"{shipped.name}/{path} is not what dgqc writes for this program"


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
