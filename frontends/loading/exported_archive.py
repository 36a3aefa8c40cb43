"""Reads `torch.export` archives (.pt2) without running anything that the file brings along.

`torch.export.load` is not safe by itself (PyTorch 2.13): it unpickles weights, constants and sample inputs
without restriction when the archive asks for it, loads compiled libraries, hands symbolic sizes to
`sympy.sympify`, which evaluates them, resolves ops by attribute from the torch package, and generates Python
source from the names in the graph. So everything is checked first, through the reader that will load it.
"""

from __future__ import annotations

import io
import json
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.pt2_archive import PT2ArchiveReader
from torch.export.pt2_archive._package import load_pt2

from ...ir.errors import DgqcError

MEMBERS = re.compile(
    r"models/model\.json|data/weights/(weight_\d+|model_weights_config\.json)"
    r"|data/constants/(tensor_\d+|model_constants_config\.json)|data/sample_inputs/model\.pt"
    r"|archive_format|archive_version|byteorder|version|\.data/(version|serialization_id)"
)
OPS = re.compile(
    r"torch\.ops\.aten\.\w+\.\w+|_operator\.(getitem|add|sub|mul|floordiv|mod|neg|eq|ne|ge|gt|le|lt)"
)
NAMES = re.compile(r"[\w.,+\-> ]*")
"""Strings that stay harmless when they are pasted into Python source: no brackets, quotes, line ends."""
SYMBOL = re.compile(r"Symbol\('\w+'(, \w+=(True|False))*\)")
SIZES = re.compile(r"([su]?\d|[-+/ (),]|\*(?!\*)|Integer|Add|Mul|Max|Min|FloorDiv|PythonMod|Mod)*")
"""Symbolic sizes: whole numbers, symbols (s53, or Symbol('s53', integer=True)), arithmetic without powers,
which could take forever."""
CONTAINERS = {None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"}
OUTPUTS = re.compile(r"diffusers\.models\.unets\.unet_2d(_condition)?\.UNet2D(Condition)?Output")
FREE_TEXT = frozenset({"stack_trace", "torch_fn", "nn_module_stack", "source_fn_stack", "guards_code"})
"""Keys whose strings are never evaluated: notes for people, and guards that ExportedUNet leaves out."""


def read_exported_program(path: Path) -> ExportedProgram:
    """The program of a .pt2 archive, after checking that loading it runs nothing.

    Raises DgqcError for an archive that is damaged, of another PyTorch, or holds more than a graph of ATen
    ops and plain tensors.
    """
    try:
        # One open file for check and load, so that both see the same bytes.
        with path.open("rb") as file:
            data: Any = io.BytesIO(file.read())
        with PT2ArchiveReader(data) as reader:
            _check(reader, path)
        data.seek(0)
        programs = load_pt2(data).exported_programs
    except DgqcError:
        raise
    except Exception as error:
        # PyTorch raises nearly anything for damaged archives.
        reason = str(error).strip().splitlines()
        raise DgqcError(
            f"{path} is not a torch.export archive that PyTorch {torch.__version__} can read "
            f"({reason[0] if reason else type(error).__name__}); save it again with torch.export.save."
        ) from error
    return programs["model"]


def _check(reader: PT2ArchiveReader, path: Path) -> None:
    members = list(reader.get_file_names())
    for member in members:
        if not MEMBERS.fullmatch(member):
            raise _refused(path, f"it holds {member}")
    if len(set(members)) != len(members):
        raise _refused(path, "it holds two members of one name")
    for config in ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json"):
        for name, payload in json.loads(reader.read_string(config))["config"].items():
            if payload["use_pickle"] or not re.fullmatch(r"(weight|tensor)_\d+", payload["path_name"]):
                raise _refused(path, f"its {name} is a pickled object ({payload['path_name']})")
            if not re.fullmatch(r"[\w.]+", name):
                raise _refused(path, f"it has a tensor called {name!r}")
            _check_strings(payload, path)
    try:
        torch.load(io.BytesIO(reader.read_bytes("data/sample_inputs/model.pt")), weights_only=True)
    except pickle.UnpicklingError as error:
        # torch.export.load would go on without restrictions here.
        raise _refused(path, "its sample inputs are more than tensors") from error
    program = json.loads(reader.read_string("models/model.json"))
    _check_strings(program, path)
    for target in _targets(program):
        if not OPS.fullmatch(target):
            raise _refused(path, f"it calls {target}")


def _check_strings(value: Any, path: Path, key: str = "") -> None:
    """Every string of the graph, by the place it stands in."""
    if isinstance(value, dict):
        for name, item in value.items():
            if not NAMES.fullmatch(name):
                raise _refused(path, f"it has a name {name!r}")
            if name not in FREE_TEXT:
                _check_strings(item, path, name)
    elif isinstance(value, list):
        for item in value:
            _check_strings(item, path, key)
    elif isinstance(value, str):
        if key in ("in_spec", "out_spec"):
            _check_structure(json.loads(value)[1], path)
        elif not (SIZES.fullmatch(SYMBOL.sub("1", value)) if key == "expr_str" else NAMES.fullmatch(value)):
            raise _refused(path, f"it has a {key or 'string'} {value!r}")


def _check_structure(spec: dict[str, Any], path: Path) -> None:
    kind = spec["type"]
    if kind not in CONTAINERS and not OUTPUTS.fullmatch(str(kind)):
        raise _refused(path, f"its inputs or outputs come in a {kind}")
    for name in _strings(json.loads(spec["context"]) if spec["context"] else None):
        if not NAMES.fullmatch(name):
            raise _refused(path, f"it has an input {name!r}")
    for child in spec["children_spec"]:
        _check_structure(child, path)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _strings(item)


def _targets(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("target"), str) and "inputs" in value:
            yield value["target"]
        for item in value.values():
            yield from _targets(item)
    elif isinstance(value, list):
        for item in value:
            yield from _targets(item)


def _refused(path: Path, reason: str) -> DgqcError:
    return DgqcError(
        f"{path} is refused, for loading it could run code: {reason}; export the UNet with "
        "torch.export.export on plain tensors and save it with torch.export.save."
    )
