"""What is said where torch-mlir and IREE aren't installed."""

from __future__ import annotations

import pytest

from dgqc.backends.mlir.execution import packages
from dgqc.backends.selection import check_targets, select_targets
from dgqc.execution.backends import open_backend
from dgqc.execution.compiled_program import CompiledProgram
from dgqc.execution.verify import chosen_backends
from dgqc.ir.errors import DgqcError


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_found", lambda module: False)


def test_the_target_is_refused() -> None:
    with pytest.raises(DgqcError, match=r"torch-mlir is not installed \(pip install dgqc\[iree\]\)"):
        check_targets(select_targets(["c", "mlir"]))


def test_a_place_for_weights_needs_the_c_project() -> None:
    with pytest.raises(DgqcError, match=r"weights=file is an option of none of the targets \(mlir\)"):
        select_targets(["mlir"], weights="file")


def test_verify_skips_and_says_why(program: CompiledProgram) -> None:
    backends, skipped = chosen_backends(program, None)
    assert backends == ("reference", "c")
    assert set(skipped) == {"iree", "llvm"}
    assert "iree-base-compiler" in skipped["iree"]
    assert "iree" not in skipped["llvm"].replace("dgqc[iree]", "")


def test_a_runner_is_refused(program: CompiledProgram) -> None:
    with pytest.raises(DgqcError, match=r"Backend iree can't run: .* or choose the reference backend"):
        open_backend("iree", program.program)
