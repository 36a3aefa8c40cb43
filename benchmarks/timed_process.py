"""A process that times itself when asked, and stands still otherwise."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType


class TimedProcess:
    """Runs a command that says "ready", and then answers each number of calls with as many seconds.

    Between questions it is stopped, so that its threads can't take time from another one's. Entered, it is
    ready; left, it is ended.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.number = self._process.pid
        self.peak = 0
        """Largest resident memory until it was last asked, in bytes."""

    def __enter__(self) -> TimedProcess:
        if self._answer() != "ready":
            raise self._failure("before its first call")
        self._rest()
        return self

    def time(self, calls: int) -> list[float]:
        """Seconds of so many calls, one after another. Raises SystemExit when it doesn't answer."""
        assert self._process.stdin is not None
        self._process.send_signal(signal.SIGCONT)
        try:
            print(calls, file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise self._failure("between calls") from None
        seconds = [float(number) for number in self._answer().split()]
        if len(seconds) != calls:
            raise self._failure("in a call")
        self.peak = _peak(self.number)
        self._rest()
        return seconds

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    def _rest(self) -> None:
        """Stops it, and waits until it stands still."""
        self._process.send_signal(signal.SIGSTOP)
        if self._process.returncode is None:
            os.waitpid(self.number, os.WUNTRACED)

    def _failure(self, when: str) -> SystemExit:
        return SystemExit(f"{' '.join(map(str, self._process.args))} failed {when}.")

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def _peak(process: int) -> int:
    """From the kernel; unlike wait4's figure it doesn't count what the process was before exec."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(found[1]) * 1024 if found else 0
