"""Every architecture at every preset by IREE and LLVM, all steps: the long way. Run with `pytest -m slow`.

pytest -m slow tests/face/test_mlir_architectures.py -k llvm      # 15 s of CPU time a pair, about
pytest -m slow tests/face/test_mlir_architectures.py -k iree      # two minutes a pair
"""

from __future__ import annotations

import pytest

pytest.importorskip("torch_mlir")
pytest.importorskip("iree.compiler")

import architectures

from dgqc.verify import verify

from .conftest import compiled_small
from .test_every_preset import SETTINGS


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["llvm", "iree"])
@pytest.mark.parametrize("opt", SETTINGS)
@pytest.mark.parametrize("name", architectures.ARCHITECTURES)
def test_bits_agree(name: str, opt: str, backend: str) -> None:
    found = verify(compiled_small(name, opt), backends=[backend])
    assert found.bit_exact, found.difference
