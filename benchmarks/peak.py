"""The machine's int8 peak: `python benchmarks/peak.py [--threads 2]`.

In 10^9 multiply-accumulates a second. Nothing that multiplies bytes can be faster; docs/speed.md has
fractions of it.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
from pathlib import Path

from timed_process import TimedProcess

from dgqc.backends.c.execution.peak import SOURCE

TIMES = 5_000_000
EACH = 12 * 64
MACS = TIMES * EACH
"""What a thread does in one measurement."""


def made(folder: Path, threads: int) -> tuple[str, ...]:
    """Compiles the loop, and gives its command. Raises SystemExit where there is no such instruction."""
    program = folder / "peak"
    command = ("cc", "-O3", "-march=native", "-fopenmp", str(SOURCE), "-o", str(program))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"The int8 peak can't be measured here: {done.stderr.strip()}")
    if int(subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout) != EACH:
        raise SystemExit("The int8 peak can't be measured here: there is no vpdpbusd on 512 bits.")
    return (str(program), str(threads), str(TIMES))


def gmacs(seconds: list[float], threads: int) -> float:
    """10^9 multiply-accumulates a second, from measurements."""
    return threads * MACS / statistics.median(seconds) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("build"))
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    with TimedProcess(made(given.work, given.threads)) as process:
        print(f"{gmacs(process.time(20), given.threads):.0f} GMAC/s on {given.threads} threads")


if __name__ == "__main__":
    main()
