"""What is remembered of a program: hashes of its results, of its constants and of every emitted text."""

from __future__ import annotations

import hashlib
import importlib.metadata
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from dgqc.backends import reference
from dgqc.backends.registry import find_target
from dgqc.ir.drawing import Drawing
from dgqc.ir.program import Program
from dgqc.ir.tensors import constant
from dgqc.ir.vector import DrawingVector, Vector

Record = dict[str, Any]
"""`results`, `constants`: a hash each. `c`, `mlir`: hashes by file; of MLIR also who printed it."""
TEXTS = {"c": ("include/*.h", "src/*.c"), "mlir": ("*.mlir",)}
"""What targets generate for a program: neither the runtime, nor the test around it."""
PRINTER = "torch-mlir"
"""Writes the text of a module, each version in its own way."""
SIZES = (2**15, 2**13, 2**11)
"""How large the inputs are that results are taken of; of large ones too much saturates."""


class NoEvidence:
    """No test vectors: what they hold is in the results already."""

    vectors: Sequence[Vector] = ()
    drawing: DrawingVector | None = None


def record_of(program: Program, folder: Path) -> Record:
    """Emits the program into `folder` and takes hashes.

    program: at the integer level, before any backend's passes. That these don't change its results is checked
    on the way. A target that can't emit here is left out.
    """
    record: Record = {"results": results_of(program), "constants": constants_of(program)}
    for name, patterns in TEXTS.items():
        target = find_target(name)()
        if target.unavailable() is None:
            laid_out = target.lay_out(program, verified=False)
            assert results_of(laid_out) == record["results"], f"{name}'s passes change what it computes"
            target.emit(laid_out, folder / name, NoEvidence())
            record[name] = _files(folder / name, patterns)
    if "mlir" in record:
        record["mlir"][PRINTER] = importlib.metadata.version(PRINTER)
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
            program.loop.run(
                lambda x, given, step: reference.run(program, {"sample": x, **given}, step),
                Drawing(noise, inputs),
            ),
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
        for kind in TEXTS
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


def _files(folder: Path, patterns: Sequence[str]) -> dict[str, str]:
    """Hashes of what matches, but for the runtime."""
    paths = [
        path for pattern in patterns for path in sorted(folder.glob(pattern)) if "dgqc_" not in path.name
    ]
    return {path.relative_to(folder).as_posix(): _short(hashlib.sha256(path.read_bytes())) for path in paths}


def _add(digest: Any, value: torch.Tensor) -> None:
    digest.update(f"{value.dtype} {tuple(value.shape)}".encode())
    digest.update(value.contiguous().numpy().tobytes())


def _short(digest: Any) -> str:
    return str(digest.hexdigest()[:16])
