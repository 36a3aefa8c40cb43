"""Reads `torch.export` archives (.pt2) without running anything that the file brings along.

`torch.export.load` is not safe by itself (PyTorch 2.13): it unpickles weights, constants and sample inputs
without restriction when the archive asks for it, loads compiled libraries, evaluates symbolic sizes, imports
enums that nested inputs name, resolves ops by attribute from the torch package, and generates Python source
from the names in the graph. So PyTorch never sees the file: its members are read and checked here, and
written again, from what was understood, into an archive that PyTorch loads. Pickled sample inputs stay out.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch.export import ExportedProgram
from torch.export.pt2_archive._package import load_pt2

from ...ir.errors import DgqcError
from ...ir.reading import reading
from ...ir.storage.json_text import parse_json
from ...ir.storage.schema import checked
from ...ir.tensors import all_finite
from .archive_schema import PayloadRecord, PayloadsRecord, ProgramRecord

MEMBERS = re.compile(
    r"models/model\.json|data/weights/(weight_\d+|model_weights_config\.json)"
    r"|data/constants/(tensor_\d+|model_constants_config\.json)|data/sample_inputs/model\.pt"
    r"|archive_format|archive_version|byteorder|version|\.data/(version|serialization_id)",
    re.ASCII,
)
MODEL, INPUTS = "models/model.json", "data/sample_inputs/model.pt"
FOLDERS = ("data/weights/", "data/constants/")
FIXED = {"archive_format": b"pt2", "archive_version": b"0", "byteorder": b"little", ".data/version": b"3\n"}
REMEDY = (
    "nothing of it was loaded, for that could run code; export the UNet with torch.export.export on plain "
    "tensors and save it with torch.export.save"
)
BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 2, 7: 4, 8: 8, 12: 1, 13: 2}
"""Of an element, by the archive's number of its type."""


def read_exported_program(path: Path) -> ExportedProgram:
    """The program of a .pt2 archive; loading it runs nothing of the file's.

    Raises DgqcError for an archive that is damaged, of another PyTorch, or holds more than a graph of ATen
    ops and plain tensors.
    """
    with reading(str(path), f"give a torch.export archive that PyTorch {torch.__version__} can read"):
        clean = _written_again(path)
        program = load_pt2(clean).exported_programs["model"]
    for name, value in program.state_dict.items():
        if value.is_floating_point() and not all_finite(value):
            raise DgqcError(f"{path}: the weight {name} holds NaN or infinite values; give a file without.")
    return program


def _written_again(path: Path) -> io.BytesIO:
    """An archive with what `path` holds, as far as the schema knows it.

    Members are stored, not packed, so none can be larger than the file; zipfile compares their checksums.
    """
    clean = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(clean, "w") as new:
        members = _members(old, path)
        text = json.dumps(_program(old.read(members[MODEL]), path))
        new.writestr(f"archive/{MODEL}", text)
        for folder in FOLDERS:
            kind = "weights" if "weights" in folder else "constants"
            name = f"{folder}model_{kind}_config.json"
            if name not in members:
                raise _refused(path, f"it holds no {name}")
            config = _payloads(old.read(members[name]), path)
            new.writestr(f"archive/{name}", config.model_dump_json(exclude_unset=True))
            for place in sorted({folder + payload.path_name for payload in config.config.values()}):
                if place not in members:
                    raise _refused(path, f"it holds no {place}")
                new.writestr(f"archive/{place}", old.read(members[place]))
            for tensor, payload in config.config.items():
                _check_extent(tensor, payload, members[folder + payload.path_name].file_size, path)
        new.writestr(f"archive/{INPUTS}", b"")
        for name, content in FIXED.items():
            new.writestr(f"archive/{name}", content)
    clean.seek(0)
    return clean


def _members(archive: zipfile.ZipFile, path: Path) -> Mapping[str, zipfile.ZipInfo]:
    """The members by their names without the archive's own folder."""
    found: dict[str, zipfile.ZipInfo] = {}
    roots = set()
    for info in archive.infolist():
        root, _, name = info.filename.partition("/")
        roots.add(root)
        if not MEMBERS.fullmatch(name) or len(roots) > 1:
            raise _refused(path, f"it holds {info.filename}")
        if name in found:
            raise _refused(path, f"it holds two members called {name}")
        if info.compress_type != zipfile.ZIP_STORED:
            raise _refused(path, f"its {name} is packed, which torch.export.save does not do")
        found[name] = info
    if MODEL not in found:
        raise _refused(path, f"it holds no {MODEL}")
    if sum(info.file_size for info in found.values()) > path.stat().st_size:
        raise _refused(path, "its members lie on top of each other")
    if "byteorder" in found and archive.read(found["byteorder"]) != FIXED["byteorder"]:
        raise _refused(path, "it was written by a big-endian machine")
    return found


def _program(text: bytes, path: Path) -> object:
    found = parse_json(text, f"{path}: {MODEL}")
    return checked(ProgramRecord, found, str(path), REMEDY).model_dump(exclude_unset=True)


def _payloads(text: bytes, path: Path) -> PayloadsRecord:
    return checked(PayloadsRecord, parse_json(text, f"{path}: the list of tensors"), str(path), REMEDY)


def _check_extent(name: str, payload: PayloadRecord, stored: int, path: Path) -> None:
    """That a tensor lies within its bytes, each of them read once."""
    about = payload.tensor_meta
    sizes, strides = ([one.as_int for one in part] for part in (about.sizes, about.strides))
    elements = stored // BYTES[about.dtype]
    if len(sizes) != len(strides):
        raise _refused(path, f"its tensor {name} has {len(sizes)} sizes and {len(strides)} strides")
    last = about.storage_offset.as_int + sum(
        (n - 1) * stride for n, stride in zip(sizes, strides, strict=True)
    )
    if math.prod(sizes) > elements or (math.prod(sizes) > 0 and last >= elements):
        raise _refused(path, f"its tensor {name} of {sizes} is larger than the bytes that are there")


def _refused(path: Path, what: str) -> DgqcError:
    return DgqcError(f"{path} is not what it should be: {what}; {REMEDY}.")
