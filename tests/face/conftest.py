"""Small compiled programs for the tests of the face: API, command line, bundle."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import dgqc
from dgqc.compiler import prepare
from dgqc.execution.compiled_program import CompiledProgram

# `architectures` lies in tests/, for all rooms' tests.
sys.path.insert(0, str(Path(__file__).parent.parent))

import architectures
import kept_captures

STEPS = 3


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _captured_once() -> Iterator[None]:
    """The same model isn't traced for each compile."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(prepare, "capture", kept_captures.keeping(prepare.capture))
        yield


def compiled_small(name: str, opt: str = "w4a6", **options: Any) -> CompiledProgram:
    """One of the small architectures, compiled without recorded samples and without a check."""
    model = getattr(architectures, name)()
    defaults: dict[str, Any] = {"steps": STEPS, "samples": 2, "context_length": architectures.CONTEXT_LENGTH}
    return dgqc.compile(model, opt, **{**defaults, "check": False, **options})


@pytest.fixture(scope="session")
def program() -> CompiledProgram:
    """A small UNet2DModel, compiled."""
    return compiled_small("small")


@pytest.fixture(scope="session")
def saved(program: CompiledProgram, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its bundle; tests that change it copy it first."""
    return program.save(tmp_path_factory.mktemp("bundles") / "small.dgqc")


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model as a diffusers folder."""
    folder = tmp_path_factory.mktemp("models") / "unet"
    architectures.small().save_pretrained(folder)
    return folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command line: exit code, stdout, stderr."""
    from dgqc.cli import main as command_line

    def call(*arguments: object) -> tuple[int, str, str]:
        code = command_line.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
