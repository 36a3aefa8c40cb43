"""Packages with ops are found by entry point; a broken one is named and hides no other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MODULE = """
import torch
from dgqc.ir.ops.captured import CapturedOp, register_captured

register_captured(CapturedOp(torch.ops.aten.erf.default, conditioning=True))
"""
PROGRAM = """
import logging, torch
logging.basicConfig(level=logging.WARNING)
from dgqc.ir.ops.captured import captured_ops
from dgqc.ir.ops.packages import import_packages
import_packages()
import_packages()
assert torch.ops.aten.erf.default in captured_ops()
"""


def package(folder: Path, name: str, module: str) -> None:
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[dgqc.ops]\n{name} = {name}\n")
    (folder / f"{name}.py").write_text(module)


def test_ops_of_installed_packages_are_known(tmp_path: Path) -> None:
    package(tmp_path, "broken_ops", "import a_module_that_nobody_has")
    package(tmp_path, "erf_ops", MODULE)
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("The ops of the package broken_ops can't be loaded from broken_ops") == 1
