"""Branches of layers in integers: the same bits from C and LLVM as from the reference, and near the float."""

from __future__ import annotations

import pytest
import torch
from few_layers import PLANNING, after

from dgqc.ir.program import Program

from .kernels import Builds, check


def branched() -> Program:
    passes = f"low-rank{{rank=2,share=400}},{PLANNING},gptq,lower-integer"
    return after(passes, frozenset({"probabilities"}))


def inputs() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {"sample": torch.randint(-32768, 32768, (1, 8, 4, 4), generator=generator).to(torch.int16)}


def test_c(kernels: Builds) -> None:
    check(kernels, branched(), inputs())


def test_llvm() -> None:
    pytest.importorskip("torch_mlir")
    from .mlir.modules import check_llvm

    check_llvm(branched(), inputs())
