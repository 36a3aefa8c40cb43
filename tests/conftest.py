"""Settings of all tests."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import kept_objects
import processor_seconds
import pytest
import torch
from hypothesis import HealthCheck, settings

# A busy machine is no defect, so nothing here depends on the clock.
SLOW = [HealthCheck.too_slow]
settings.register_profile("default", deadline=None, max_examples=50, suppress_health_check=SLOW)
settings.register_profile(
    "ci", deadline=None, max_examples=50, suppress_health_check=SLOW, derandomize=True, print_blob=True
)
settings.load_profile("ci" if os.environ.get("CI") else "default")
torch.set_num_threads(1)
# Emitted programs that one run of the tests has built are there for the next.
BUILD = Path(__file__).parents[1] / "build"
os.environ["XDG_CACHE_HOME"] = str(BUILD / "tests-cache")
COMPILER = str(BUILD / "tests-compiler")
found = [path for name in (os.environ.get("CC", "cc"), "gcc", "clang") if (path := shutil.which(name))]
# Workers begin with what has been set before.
if found and not found[0].startswith(COMPILER):
    launchers = [kept_objects.launcher(COMPILER, path) for path in found]
    os.environ["CC"] = launchers[0]
    os.environ["PATH"] = COMPILER + os.pathsep + os.environ["PATH"]
# No test sees what a loss of power would leave.
os.fsync = lambda handle: None


def settle() -> None:
    """What lives now is looked at by no collection of garbage from here on."""
    gc.collect()
    gc.freeze()


def pytest_collection_finish() -> None:
    """Collecting garbage among the million objects that PyTorch brings would take a sixth of all time."""
    settle()
    gc.set_threshold(100_000, 20, 20)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """After a file's last test, whose fixtures are gone: each compile collects garbage twice, and what
    imports and fixtures of the session have left would be looked at each time."""
    found = yield
    if nextitem is None or nextitem.path != item.path:
        settle()
    return found


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite golden files that differ; each rewritten test fails once and shows its diff",
    )
    parser.addoption("--processor-seconds", action="store_true", help="say what files and tests cost")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--processor-seconds"):
        config.pluginmanager.register(processor_seconds.Meter())
