"""What it costs two cores to wait for each other: `python benchmarks/round_trip.py`.

Nanoseconds that a cache line takes to the other core and back. Cores that share a cache need a third of what
others need, and on a virtual machine which of them one has can change from minute to minute; a small model's
threads, which wait for each other some seventy times a call, feel that.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
from pathlib import Path

from timed_process import TimedProcess

SOURCE = Path(__file__).parent / "round_trip.c"
TIMES = 20_000
"""What they do in one measurement."""


def made(folder: Path) -> tuple[str, ...]:
    """Compiles the loop, and gives its command. Raises SystemExit where there are no threads."""
    program = folder / "round_trip"
    command = ("cc", "-O3", "-fopenmp", str(SOURCE), "-o", str(program))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"Cores' round trips can't be measured here: {done.stderr.strip()}")
    return (str(program), str(TIMES))


def nanoseconds(seconds: list[float]) -> tuple[float, float, float]:
    """The fastest, the median and the slowest, from measurements."""
    trips = [1e9 * taken / TIMES for taken in seconds]
    return min(trips), statistics.median(trips), max(trips)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=Path("build"))
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    with TimedProcess(made(given.work)) as process:
        fastest, median, slowest = nanoseconds(process.time(50))
        print(f"{median:.0f} ns ({fastest:.0f} .. {slowest:.0f})")


if __name__ == "__main__":
    main()
