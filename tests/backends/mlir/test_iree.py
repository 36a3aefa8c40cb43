"""What is done where IREE can't compile a module for tiles, or not at all."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from dgqc.backends.mlir.emission.emit import write_module
from dgqc.backends.mlir.execution import iree
from dgqc.backends.mlir.execution.iree import compiled, loaded
from dgqc.backends.mlir.lowering.pipeline import run
from dgqc.ir.errors import DgqcError

from ..cases import CASES
from .modules import arguments, expected


def test_a_program_that_is_refused_with_tiles_runs_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    program, inputs = CASES["rescale"].program(0, shape=(1, 5, 7))
    write_module(run(program).module, tmp_path / "model.mlir")
    monkeypatch.setattr(iree, "TILED", "--no-such-option")
    with caplog.at_level(logging.INFO, logger="dgqc"):
        module = loaded(compiled(tmp_path / "model.mlir"))
    assert "without data tiling" in caplog.text
    found = module["main"](*arguments(program, inputs, 1)).to_host()
    assert np.array_equal(found, expected(program, inputs, 1)[0])


def test_what_iree_refuses_is_said_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "model.mlir"
    path.write_text("func.func @main(%x: tensor<2xi16>) -> tensor<3xi16> { return %x : tensor<2xi16> }")
    with pytest.raises(DgqcError, match=r"^iree-compile refused .*model\.mlir: .*error: .*$"):
        compiled(path)
