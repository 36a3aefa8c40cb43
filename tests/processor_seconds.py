"""What tests cost in processor seconds, which a busy machine changes little: `pytest --processor-seconds`.

Of the process itself, of what it has started and of what still runs, such as the server of `fresh_python`. A
fixture counts with the first test that needs it. Without xdist: run one folder at a time.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

MOST = 30
"""Lines of each table."""


def spent() -> float:
    """Seconds until now, with those of all children."""
    ended = os.times()
    return time.process_time() + ended.children_user + ended.children_system + running(os.getpid())


def running(process: int) -> float:
    """Of children that haven't ended, and of theirs; 0 where there is no `/proc` to ask."""
    seconds = 0.0
    for listed in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            for child in map(int, listed.read_text().split()):
                fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
                seconds += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") + running(child)
        except OSError:  # one has ended meanwhile
            continue
    return seconds


class Meter:
    """A plugin that adds up what each test takes, and shows files and tests from the dearest on."""

    def __init__(self) -> None:
        self.tests: Counter[str] = Counter()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        before = spent()
        found = yield
        self.tests[item.nodeid] += spent() - before
        return found

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        files: Counter[str] = Counter()
        for name, seconds in self.tests.items():
            files[name.partition("::")[0]] += seconds
        for title, costs in (("files", files), ("tests", self.tests)):
            terminalreporter.section(f"processor seconds of {title}: {sum(costs.values()):.0f} in all")
            for name, seconds in costs.most_common(MOST):
                terminalreporter.write_line(f"{seconds:8.1f} {name}")
        terminalreporter.write_line(f"With imports and collecting: {spent():.0f} processor seconds.")
