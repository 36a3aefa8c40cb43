"""Weights of 2 to 8 bits and operands of 4 to 8 in one program: the reference's bits from C and LLVM."""

from __future__ import annotations

import pytest
import torch
from few_layers import PLANNING, after

from dgqc.ir.program import Program

from .kernels import Builds, check


def mixed() -> Program:
    """Means that no one width gives."""
    assigned = "assign-bits{weights=3.4,activations=5.5}"
    program = after(f"{PLANNING},{assigned},gptq,lower-integer", frozenset({"probabilities"}))
    report = program.report["assign-bits"]
    assert len(set(report["bits"].values())) > 1
    assert len(set(report["operand-bits"].values())) > 1
    widths = set(program.report["weight-bits"].values())
    assert widths & {2, 3}
    assert widths <= {2, 3, 4, 8}
    return program


def inputs() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {"sample": torch.randint(-32768, 32768, (1, 8, 4, 4), generator=generator).to(torch.int16)}


def test_c(kernels: Builds) -> None:
    check(kernels, mixed(), inputs())


def test_llvm() -> None:
    pytest.importorskip("torch_mlir")
    from .mlir.modules import check_llvm

    check_llvm(mixed(), inputs())
