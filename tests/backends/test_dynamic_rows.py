"""Tokens with scales of their own: the same bits from C and LLVM as from the reference."""

from __future__ import annotations

import pytest
import torch
from few_layers import PLANNING, after

from dgqc.ir.program import Program

from .kernels import Builds, check


def scaled() -> Program:
    return after(
        f"dynamic-rows{{gain=-99,groups=1}},{PLANNING},gptq,lower-integer", frozenset({"probabilities"})
    )


def inputs() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {"sample": torch.randint(-32768, 32768, (1, 8, 4, 4), generator=generator).to(torch.int16)}


def test_c(kernels: Builds) -> None:
    check(kernels, scaled(), inputs())


def test_llvm() -> None:
    pytest.importorskip("torch_mlir")
    from .mlir.modules import check_llvm

    check_llvm(scaled(), inputs())
