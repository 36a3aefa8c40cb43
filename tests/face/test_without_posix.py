"""Everything but running C works where the system lacks what Windows lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ILLEGAL = set('<>:"|?*\\')
"""Characters that Windows has in no file's name."""
SCRIPT = """
import os
import sys
import torch
import transformers

# Others' libraries know their system: psutil, which comes with accelerate, has files of its own for each.
from diffusers import StableDiffusionPipeline, UNet2DConditionModel

LACKING = (
    "fork register_at_fork sched_getaffinity geteuid getuid getpgid killpg setsid pread fchmod sysconf uname "
    "statvfs mkfifo O_DIRECTORY O_NOFOLLOW"
).split()
for name in LACKING:
    if hasattr(os, name):
        delattr(os, name)
for module in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[module] = None

import architectures
import dgqc
from dgqc.cli.main import run

bundle = sys.argv[1]
dgqc.compile(architectures.small(), "w4a6", steps=2, samples=1, batch_size=1).save(bundle)
assert run(["report", bundle]) == 0
program = dgqc.load(bundle)
inputs = {one.name: torch.zeros(one.shape) for one in program.provenance.inputs if one.name != "timestep"}
program.answer(inputs, step=0, backend="reference")
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("without posix")
    path = os.pathsep.join([str(TESTS), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(place / "bundle")],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return place / "bundle"


def test_names_of_files_are_names_everywhere(bundle: Path) -> None:
    """No letter that Windows forbids, and no two names that differ in the size of their letters alone."""
    names = [path.relative_to(bundle).as_posix() for path in bundle.rglob("*")]
    assert [name for name in names if set(name) & ILLEGAL or name.endswith((".", " "))] == []
    assert len({name.casefold() for name in names}) == len(names) > 10
