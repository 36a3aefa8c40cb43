"""Runs programs of one op through LLVM, and many of them in one module through IREE."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dgqc.backends.mlir.emission import constants
from dgqc.backends.mlir.execution.iree import compiled, loaded
from dgqc.backends.mlir.execution.llvm import LlvmFunction
from dgqc.backends.mlir.lowering.pipeline import run
from dgqc.ir.program import Program

from ..cases import Inputs

Results = list[Any]


def expected(program: Program, inputs: Inputs, step: int) -> Results:
    """What the reference gives: one array or several."""
    found = program.graph(*(inputs[item.name] for item in program.inputs), torch.tensor(step))
    results = found if isinstance(found, tuple | list) else (found,)
    # A signless 8-bit result is read as signed.
    return [(one.view(torch.int8) if one.dtype == torch.uint8 else one).numpy() for one in results]


def arguments(program: Program, inputs: Inputs, step: int) -> Results:
    return [*(inputs[item.name].numpy() for item in program.inputs), np.asarray(step, dtype=np.int64)]


def check_llvm(program: Program, inputs: Inputs) -> None:
    """Every step of the program, bit by bit."""
    function = LlvmFunction(run(program).module)
    for step in range(len(program.schedule)):
        agree(expected(program, inputs, step), function(arguments(program, inputs, step)))


def check_iree(cases: Sequence[tuple[Program, Inputs]], folder: Path) -> None:
    """Every step of all programs, bit by bit; they are functions of one module."""
    texts = []
    written, constants.WRITTEN = constants.WRITTEN, 2**20  # Resources of several modules would share names.
    try:
        for number, (program, _) in enumerate(cases):
            text = run(program).module.operation.get_asm(use_local_scope=True)
            body = text.strip().removeprefix("module {").removesuffix("}")
            texts.append(body.replace("func.func @main(", f"func.func @case_{number}("))
    finally:
        constants.WRITTEN = written
    path = folder / "cases.mlir"
    path.write_text("module {\n" + "\n".join(texts) + "\n}\n")
    module = loaded(compiled(path))
    for number, (program, inputs) in enumerate(cases):
        for step in range(len(program.schedule)):
            found = module[f"case_{number}"](*arguments(program, inputs, step))
            results = found if isinstance(found, tuple | list) else (found,)
            agree(expected(program, inputs, step), [result.to_host() for result in results])


def agree(wanted: Results, found: Results) -> None:
    assert len(wanted) == len(found)
    for one, other in zip(wanted, found, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other), (one, other)
