"""Damages files that dgqc reads, thousands of times: `python benchmarks/damaged_files.py [--cases 1000]`.

Each case is one file of a kind, changed at random and read by a process that is a fork of this one, with a
limit of time and memory. It goes on to the next case, and another one takes its place where it ends or hangs.
Counted is what becomes of a file:

    refused    a DgqcError: one printable line of bounded length
    same       read as what it was: the change was in what nobody reads
    other      read as something else
    raw        another exception, or a message that is none
    hang       no answer within the time
    dead       the process ended by a signal

`other` is right where a file says something else and nothing betrays it: a weight in safetensors, a number in
a config. It is wrong for bundles, exported archives and pickles, which carry checksums. Where a
bundle's were renewed, too, it must be a program that is verified, with its C written.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import select
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from damage import damaged
from damaged_doors import doors
from damaged_kinds import Kind, kinds, small_unet

SECONDS = 20
MEMORY = 12 * 2**30
OUTCOMES = ("refused", "same", "other", "raw", "hang", "dead")
SLOWER = 5
"""By how much fewer cases there are of kinds that take long."""
CASES_OF_A_PROCESS = 250
"""What a library keeps of damaged files doesn't pile up."""


def outcomes(kind: Kind, name: str, cases: int, seed: int) -> Iterator[tuple[int, str]]:
    """Case and outcome, in order. The file is whole again afterwards."""
    data, whole, others = kind.path.read_bytes(), kind.read(kind.path), _others(kind)
    case = 0

    def change(case: int) -> None:
        for path, content in others.items():
            path.write_bytes(content)
        kind.path.write_bytes(damaged(data, kind.file, random.Random(f"{seed} {name} {case}")))
        kind.renew()

    while case < cases:
        for said in _answers(kind, whole, change, range(case, min(case + CASES_OF_A_PROCESS, cases))):
            yield case, said
            case += 1
    for path, content in {**others, kind.path: data}.items():
        path.write_bytes(content)


def _others(kind: Kind) -> dict[Path, bytes]:
    """Files beside the damaged one that hold checksums of it."""
    names = ("manifest.json", "program/program.json")
    return {
        kind.folder / name: (kind.folder / name).read_bytes()
        for name in names
        if (kind.folder / name).is_file()
    }


def _answers(kind: Kind, whole: str, change: Callable[[int], None], cases: range) -> Iterator[str]:
    """One answer for each case, until a process has done all or ends at one; that is its last answer."""
    reading_end, writing_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _answer_all(kind, whole, change, cases, writing_end)
        finally:
            os._exit(0)  # What the parent cleans up is not the child's to clean up.
    os.close(writing_end)
    with os.fdopen(reading_end, "rb") as pipe:
        for _ in cases:
            answered = select.select([pipe], [], [], SECONDS)[0]
            line = pipe.readline() if answered else b"hang"
            yield line.decode("utf-8", "replace").strip() or "dead"
            if not line.endswith(b"\n"):
                break
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _answer_all(kind: Kind, whole: str, change: Callable[[int], None], cases: range, answers: int) -> None:
    """In the child: a line for each case."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for case in cases:
        change(case)
        said = _answer(kind, whole).encode("utf-8", "replace")[:2000].replace(b"\n", b" ")
        os.write(answers, said + b"\n")


def _answer(kind: Kind, whole: str) -> str:
    from dgqc.ir.errors import LONGEST_MESSAGE, DgqcError

    try:
        return "same" if kind.read(kind.path) == whole else "other"
    except DgqcError as error:
        text = str(error)
        good = text.isprintable() and len(text) <= LONGEST_MESSAGE
        return "refused" if good else f"raw a message of {len(text)} characters: {text!r}"
    except BaseException as error:
        return f"raw {type(error).__name__}: {error}"


def run(cases: int, seed: int, only: list[str], keep: Path | None) -> None:
    """Damages `cases` files of each kind, and prints a table."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    counts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        found = kinds(Path(folder))
        found |= doors(Path(folder), small_unet())
        for name, kind in found.items():
            if only and name not in only:
                continue
            start, counts[name] = time.monotonic(), Counter()
            for case, said in outcomes(kind, name, cases // SLOWER if kind.slow else cases, seed):
                counts[name][said.split(" ")[0]] += 1
                if said.startswith(("raw", "hang", "dead")):
                    print(f"{name} {case}: {said[:400]}", file=sys.stderr)
                    if keep:
                        keep.mkdir(parents=True, exist_ok=True)
                        (keep / f"{name}-{case}.txt".replace(" ", "-")).write_text(said)
            seconds = time.monotonic() - start
            print(f"{name}: {dict(counts[name])} in {seconds:.0f} s", file=sys.stderr, flush=True)
    print("| file | cases | " + " | ".join(OUTCOMES) + " |\n" + "| --- " * (len(OUTCOMES) + 2) + "|")
    for name, found in counts.items():
        row = [name, str(sum(found.values())), *(str(found[one]) for one in OUTCOMES)]
        print("| " + " | ".join(row) + " |")
    total = sum(counts.values(), Counter[str]())
    print(json.dumps(total))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", type=int, default=100, help="of each kind, a fifth of slow ones")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[], metavar="KIND")
    parser.add_argument("--keep", type=Path, help="a folder for what is said of files with a bad outcome")
    given = parser.parse_args()
    run(given.cases, given.seed, given.only, given.keep)


if __name__ == "__main__":
    main()
