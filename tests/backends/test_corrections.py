"""Corrections of sample and output at every call: the same bits from C and LLVM as from the reference."""

from __future__ import annotations

import pytest
import torch
from golden.graphs import attention, decided, sited

from dgqc.ir.plans import Correction
from dgqc.ir.program import Program
from dgqc.passes.correction.insert import corrected
from dgqc.passes.correction.pictures import Corrected
from dgqc.passes.manager.manager import PassManager
from dgqc.passes.manager.pipeline import parse_pipeline

from .kernels import Builds, check


def with_corrections() -> Program:
    program = decided(sited(attention(crossing=False)))
    for place in Corrected:
        factor = torch.tensor([[1.25, -0.5], [0.75, 1]], dtype=torch.float64)
        program = corrected(program, place, Correction(factor, factor.flip(0) - 1))
    (lower,) = parse_pipeline("lower-integer")
    return PassManager([lower]).run(Program(**{**vars(program), "facts": lower.requires}))


def inputs() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {"sample": torch.randint(-32768, 32768, (1, 2, 2), generator=generator).to(torch.int16)}


def test_c(kernels: Builds) -> None:
    check(kernels, with_corrections(), inputs())


def test_llvm() -> None:
    pytest.importorskip("torch_mlir")
    from .mlir.modules import check_llvm

    check_llvm(with_corrections(), inputs())
