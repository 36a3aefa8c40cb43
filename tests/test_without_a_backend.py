"""A backend can be taken out: all that remains still imports, compiles and runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dgqc.bundle.diffusers_files import CONFIG, WEIGHTS

ROOT = Path(__file__).parent.parent
ROOMS = ("ir", "passes", "frontends", "backends")
PROGRAM = """
import json, pkgutil, sys
# An editable installation would find what was taken out.
module_of = lambda finder: getattr(finder, "__module__", "")
sys.meta_path = [one for one in sys.meta_path if not module_of(one).startswith("__editable__")]
from importlib import import_module
from pathlib import Path
import torch
from diffusers import UNet2DModel
import dgqc
from dgqc.backends.registry import runner_names, target_names
from dgqc.bundle.vectors import random_inputs
from dgqc.execution.backends import default_backend
from dgqc.passes.manager.registry import pass_names

folder, absent = Path(sys.argv[1]), sys.argv[2]
broken = {}
for found in pkgutil.walk_packages(dgqc.__path__, "dgqc."):
    # What only MLIR needs may not be installed.
    if not found.name.startswith(("dgqc.backends.mlir.", "dgqc.demo_model.")):
        try:
            import_module(found.name)
        except Exception as error:
            broken[found.name] = repr(error)
torch.manual_seed(0)
blocks = {"down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",)}
unet = UNet2DModel(4, 2, 2, block_out_channels=(8,), layers_per_block=1, norm_num_groups=4, **blocks)
compiled = dgqc.compile(unet.eval(), "naive-w8a8", steps=2, samples=1, check=False)
compiled.save(folder / "bundle")
loaded = dgqc.load(folder / "bundle")
inputs = random_inputs(loaded.program, 0)
result = loaded.run_integers(inputs, 1)
answers = {
    "where": str(Path(dgqc.__file__).parent),
    "broken": broken,
    "targets": target_names(),
    "runners": runner_names(),
    "default": default_backend(),
    "passes": pass_names(),
    "bundle": sorted(path.name for path in (folder / "bundle").iterdir()),
    "exact": bool(torch.equal(result, loaded.run_integers(inputs, 1, backend="reference"))),
    "modules": [name for name in sys.modules if f"{name}.".startswith(f"dgqc.backends.{absent}.")],
}
print(json.dumps(answers))
"""


def taken_out(folder: Path, absent: str) -> Path:
    """The installed package without one backend."""
    package = folder / "site" / "dgqc"
    # What Python has compiled already comes along: it tells by a source's time and size.
    shutil.copytree(ROOT / "dgqc", package)
    for room in ROOMS:
        shutil.copytree(ROOT / room, package / room)
    (package / "demo_model").symlink_to(ROOT / "examples" / "demo_model")
    shutil.rmtree(package / "backends" / absent)
    return package.parent


@pytest.mark.parametrize("absent", ["c", "mlir"])
def test_everything_else_works(absent: str, tmp_path: Path) -> None:
    site = taken_out(tmp_path, absent)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), absent]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["where"] == str(site / "dgqc"), "the copy is what was imported"
    assert found["broken"] == {}
    assert found["modules"] == []
    assert absent not in found["targets"]
    assert found["exact"]
    if absent == "c":
        assert found["default"] == "reference"
        assert "plan-memory" not in found["passes"]
        assert found["bundle"] == [CONFIG, WEIGHTS, "manifest.json", "program", "report.json"]
    else:
        assert found["runners"][:2] == ["reference", "c"]
        assert "iree" not in found["runners"]
        assert "c" in found["bundle"]
