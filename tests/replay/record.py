"""What is remembered of a program: hashes of its results, of its constants and of every emitted text."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import math
from pathlib import Path
from typing import Any

import torch
from programs import apply

from dgqc.backends import c, reference
from dgqc.ir.program import Program
from dgqc.ir.tensors import constant

Record = dict[str, Any]
"""`results`, `constants`: a hash each. `c`, `mlir`: hashes by file; of MLIR also who printed it."""
LAYOUT = "split-products,permute-channels,permute-keys,stream-rows,plan-memory"
PRINTER = "torch-mlir"
"""Writes the text of a module, each version in its own way."""
SIZES = (2**15, 2**13, 2**11)
"""How large the inputs are that results are taken of; of large ones too much saturates."""


def record_of(program: Program, folder: Path) -> Record:
    """Emits the program into `folder` and takes hashes.

    program: at the integer level, before any backend's passes. That those of the C backend don't change its
    results is checked on the way.
    """
    laid_out = apply(program, LAYOUT)
    results = results_of(program)
    assert results == results_of(laid_out), "the C backend's passes change what the program computes"
    c.emit(laid_out, folder / "c", storage=c.Storage.ARRAY)
    record = {
        "results": results,
        "constants": constants_of(program),
        "c": _files(folder / "c", "include/*.h", "src/*.c"),
    }
    if importlib.util.find_spec("torch_mlir"):
        from dgqc.backends.mlir.emit import emit

        emit(program, folder / "mlir")
        version = importlib.metadata.version(PRINTER)
        record["mlir"] = {**_files(folder / "mlir", "*.mlir"), PRINTER: version}
    return record


def results_of(program: Program) -> str:
    """A hash of what the reference computes at each step, and of what it draws where there is a loop."""
    digest = hashlib.sha256()
    for step in range(len(program.schedule)):
        for size in SIZES:
            _add(digest, reference.run(program, _inputs(program, size), step))
    if program.loop is not None:
        inputs = _inputs(program, SIZES[0])
        noise = inputs.pop("sample")
        _add(
            digest,
            program.loop.run(lambda x, step: reference.run(program, {"sample": x, **inputs}, step), noise),
        )
    return _short(digest)


def constants_of(program: Program) -> str:
    """A hash of the constants in the order in which the graph reads them; their names don't count."""
    digest = hashlib.sha256()
    for node in program.graph.graph.nodes:
        if node.op == "get_attr":
            _add(digest, constant(program.graph, str(node.target)))
    return _short(digest)


def differences(before: Record, after: Record) -> str:
    """What to tell whoever changed results, constants, or texts alone; empty where nothing is changed."""
    if before.get("mlir", {}).get(PRINTER) != after.get("mlir", {}).get(PRINTER):
        # Another printer, or none: these texts can't be compared.
        before, after = ({**record, "mlir": {}} for record in (before, after))
    files = [
        f"{kind}/{name}"
        for kind in ("c", "mlir")
        for name in sorted(before.get(kind, {}).keys() | after.get(kind, {}).keys())
        if before.get(kind, {}).get(name) != after.get(kind, {}).get(name)
    ]
    texts = f"Texts that changed: {', '.join(files) or 'none'}."
    if before.get("results") != after["results"]:
        return f"RESULTS CHANGED: the same inputs give other bits. {texts}"
    if before["constants"] != after["constants"]:
        return f"Constants changed, results on the inputs tried are the same. {texts}"
    return f"Text changed, results are the same. {texts}" if files else ""


def _inputs(program: Program, size: int) -> dict[str, torch.Tensor]:
    """Integers from -size to size - 1 in strides that differ from input to input, int16."""
    return {
        item.name: (torch.arange(math.prod(item.shape)) * (7919 + 2 * number) % (2 * size) - size)
        .reshape(item.shape)
        .to(torch.int16)
        for number, item in enumerate(program.inputs)
    }


def _files(folder: Path, *patterns: str) -> dict[str, str]:
    """Hashes of what was generated for this program: not the runtime, and not the test around it."""
    paths = [
        path for pattern in patterns for path in sorted(folder.glob(pattern)) if "dgqc_" not in path.name
    ]
    return {path.relative_to(folder).as_posix(): _short(hashlib.sha256(path.read_bytes())) for path in paths}


def _add(digest: Any, value: torch.Tensor) -> None:
    digest.update(f"{value.dtype} {tuple(value.shape)}".encode())
    digest.update(value.contiguous().numpy().tobytes())


def _short(digest: Any) -> str:
    return str(digest.hexdigest()[:16])
