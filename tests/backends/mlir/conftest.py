"""These tests need torch-mlir, and some IREE: `pip install dgqc[iree]`."""

from __future__ import annotations

import pytest

pytest.importorskip("torch_mlir")
pytest.importorskip("iree.compiler")
