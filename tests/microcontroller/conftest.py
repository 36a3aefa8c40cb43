from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "microcontroller"
# The example's Python is a package of its own, which is not installed.
sys.path.insert(0, str(EXAMPLE))

Make = Callable[[str], str]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the example's Makefile puts everything."""
    return tmp_path_factory.mktemp("microcontroller")


@pytest.fixture(scope="session")
def make(build: Path) -> Make:
    """Runs the example's Makefile, drawing one digit; what it prints."""
    settings = (f"BUILD={build}", f"DGQC={sys.executable} -m dgqc.cli.main", "DIGITS=1")

    def run(goal: str) -> str:
        command = ["make", "-C", str(EXAMPLE), *settings, goal]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def bundle(make: Make, build: Path) -> Path:
    """The example's model, compiled by its Makefile."""
    make(f"{build}/digits.dgqc/manifest.json")
    return build / "digits.dgqc"
