"""Every architecture at every preset by IREE and LLVM, all steps, and one by published methods: the long way.
Run with `pytest -m slow`.

pytest -m slow tests/face/test_mlir_architectures.py -k "unconditional and w4a6-"

A program is compiled, lowered and compared once for both. That takes 20 s of CPU time, and IREE's compilation
as long again for the smallest and two and a half minutes for the largest.
"""

from __future__ import annotations

import pytest

pytest.importorskip("torch_mlir")
pytest.importorskip("iree.compiler")

import architectures

from dgqc.execution.verify import verify

from .conftest import compiled_small
from .test_every_preset import SETTINGS

PUBLISHED = (
    "naive-w8a8",
    "q-diffusion-w4a8,iterations=10",
    "tfmq-w4a6,iterations=10",
    "eda-w8a6,iterations=10",
    "dgq-w4a6,iterations=10",
    "dgq-w8a4,iterations=10",
)


@pytest.mark.slow
@pytest.mark.parametrize("opt", SETTINGS)
@pytest.mark.parametrize("name", architectures.ARCHITECTURES)
def test_bits_agree(name: str, opt: str) -> None:
    _check(name, opt)


@pytest.mark.slow
@pytest.mark.parametrize("opt", PUBLISHED)
def test_bits_agree_for_published_methods(opt: str) -> None:
    _check("class_conditional", opt)


def _check(name: str, opt: str) -> None:
    found = verify(compiled_small(name, opt), backends=["iree", "llvm"])
    assert found.backends == ("reference", "iree", "llvm")
    assert found.bit_exact, found.difference
