from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import chdir
from pathlib import Path

import pytest
import torch

from dgqc.cli.main import run as run_dgqc

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
DIGITS, SCENES = EXAMPLES / "microcontroller", EXAMPLES / "microcontroller_text"
# The examples' Python are packages of their own, which are not installed.
sys.path[:0] = [str(DIGITS), str(SCENES)]

Make = Callable[[str], str]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def assert_fits(
    text: str, flash: int, ram: int, stack: int, boards: Iterable[str] = ("m3", "m4", "m55")
) -> None:
    """What `make size` printed of some boards' programs stays below these bytes."""
    for machine in boards:
        sizes = re.search(rf"(\d+)\s+(\d+)\s+(\d+)\s+\d+\s+\w+\s+\S*/{machine}\.elf", text)
        assert sizes
        code, data, zeroed = map(int, sizes.groups())
        assert code + data < flash
        assert data + zeroed < ram
    touched = [int(number) for number in re.findall(r"# bytes of stack: (\d+)", text)]
    assert touched
    assert all(100 < number < stack for number in touched)


def maker(example: Path, build: Path, *settings: str) -> Make:
    """Runs an example's Makefile; what it prints. build: where that puts everything."""

    def run(goal: str) -> str:
        command = [
            *("make", "-C", str(example), f"BUILD={build}", f"DGQC={sys.executable} -m dgqc.cli.main"),
            *(*settings, goal),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the Makefile of the digits puts everything."""
    return tmp_path_factory.mktemp("microcontroller")


@pytest.fixture(scope="session")
def make(build: Path) -> Make:
    """Runs it, drawing one digit; what it prints."""
    return maker(DIGITS, build, "DIGITS=1")


@pytest.fixture(scope="session")
def bundle(build: Path) -> Path:
    """The model of digits, compiled by its Makefile's command: in this process, where everything is imported
    already, and on fewer samples, which say what ranges are and nothing of how C keeps them."""
    goal = f"{build}/digits.dgqc/manifest.json"
    said = maker(DIGITS, build, "DGQC=dgqc", "SAMPLES=8", "--dry-run", "--no-print-directory")(goal)
    (command,) = (line for line in said.splitlines() if line.startswith("dgqc "))
    with chdir(DIGITS):
        assert run_dgqc(shlex.split(command)[1:]) == 0
    return build / "digits.dgqc"
