"""Runs commands where something is missing, and says what became of them: `python benchmarks/poor_places.py`.

A full disk and a read-only one (small file systems in memory, for root alone), no C compiler, no home
folder, four processes that write one bundle, little memory. Right is the result, or exit code 2 with one
sentence; nothing half-written may be left.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from damaged_kinds import small_unet

TINY = 96 * 1024
"""Bytes of the disk that is soon full."""
MEMORY = (700, 1000, 1500, 2500)
"""MiB of address space, from too little for PyTorch itself to enough."""


@dataclass(frozen=True)
class Ended:
    """How a command ended. said: what it wrote, last line of it."""

    code: int
    said: str

    @property
    def good(self) -> bool:
        """Whether it did what it should, or said in one sentence why not."""
        return self.code == 0 or (
            self.code == 2 and "Traceback" not in self.said and "report" not in self.said
        )


def main() -> None:
    """Runs all, and prints a table. Exits with 1 where something is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        small_unet(attention=False).save_pretrained(work / "model")
        print("| where | exit code | said | right |\n| --- | --- | --- | --- |")
        rights = [
            shown(what, ended, right and ended.good) for what, ended, right in places(work, work / "model")
        ]
    sys.exit(not all(rights))


def shown(what: str, ended: Ended, right: bool) -> bool:
    print(f"| {what} | {ended.code} | {ended.said[-160:]} | {'yes' if right else 'NO'} |", flush=True)
    return right


def places(work: Path, model: Path) -> Iterator[tuple[str, Ended, bool]]:
    """Each place with how a command ended there, and whether nothing else is wrong."""
    bundle = work / "bundle"
    yield "as usual", compiled(model, bundle), bundle.is_dir()
    wanted = files_of(bundle)
    if os.geteuid() == 0:
        with disk(work / "full", f"size={TINY}") as full:
            ended = compiled(model, full / "out")
            yield "a full disk", ended, ended.code == 2 and not any(full.iterdir())
        with disk(work / "small", f"size={TINY}") as small:
            ended = compiled(model, work / "elsewhere", TMPDIR=str(small))
            yield "a full temporary folder", ended, not any(small.iterdir())
        with disk(work / "locked", "ro") as locked:
            ended = compiled(model, locked / "out")
            yield "a read-only disk", ended, ended.code == 2
            ended = called(bundle, HOME=str(locked), XDG_CACHE_HOME=str(locked))
            yield "a read-only cache", ended, True
    # These find the bundle and answer: a sentence that says it is missing would not do.
    for what, given in (
        ("no C compiler", {"PATH": "/nowhere", "CC": ""}),
        ("no home folder", {"HOME": "", "XDG_CACHE_HOME": ""}),
    ):
        ended = called(bundle, **given)
        yield what, ended, ended.code == 0
    ended = called(bundle, HOME="/nowhere/at/all", XDG_CACHE_HOME="")
    yield "a home folder that isn't there", ended, True
    ended = four_at_once(model, work / "shared" / "bundle")
    same = files_of(work / "shared" / "bundle") == wanted
    yield "four processes, one bundle", ended, same and len(list((work / "shared").iterdir())) == 1
    for size in MEMORY:
        ended = compiled(model, work / f"little{size}", before=partial(limit, size * 2**20))
        yield f"{size} MiB of memory", ended, True


def compiled(model: Path, output: Path, before: Callable[[], object] | None = None, **given: str) -> Ended:
    return ended(start(compile_command(model, output), given, before))


def called(bundle: Path, **given: str) -> Ended:
    return ended(start(["run", str(bundle)], given))


def compile_command(model: Path, output: Path) -> list[str]:
    quick = ["-O", "naive-w8a8", "--steps", "2", "--samples", "1"]
    return ["compile", str(model), *quick, "-o", str(output)]


def four_at_once(model: Path, output: Path) -> Ended:
    """The worst of four that write the same bundle."""
    output.parent.mkdir()
    running = [start(compile_command(model, output), {}) for _ in range(4)]
    return max((ended(one) for one in running), key=lambda one: one.code)


def start(
    arguments: list[str], given: Mapping[str, str], before: Callable[[], object] | None = None
) -> subprocess.Popen[str]:
    """given: of the environment; an empty text takes a variable away."""
    environment = {key: value for key, value in {**os.environ, **given}.items() if value}
    command = [sys.executable, "-m", "dgqc.cli.main", *arguments]
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment, text=True, preexec_fn=before, **streams)


def ended(process: subprocess.Popen[str]) -> Ended:
    _, said = process.communicate()
    lines = [line for line in said.splitlines() if line.strip()] if process.returncode else [""]
    traceback = "Traceback: " if "Traceback" in said else ""
    return Ended(process.returncode, traceback + (lines or ["nothing"])[-1])


def limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


@contextmanager
def disk(place: Path, options: str) -> Iterator[Path]:
    """A file system in memory, for a while."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


if __name__ == "__main__":
    main()
