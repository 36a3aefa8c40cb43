from __future__ import annotations

from pathlib import Path

import pytest
import torch

from .kernels import Kernels, compile_runtime


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    """The runtime as it ships, at -O3 for this machine."""
    directory: Path = tmp_path_factory.mktemp("runtime")
    return Kernels(compile_runtime(directory, "-O3", "-march=native"))
