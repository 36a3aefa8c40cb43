"""A program whose constants are read while it runs, beside the same one with its file of constants mapped.

    python benchmarks/streaming.py BUNDLE WORK [--threads 2] [--rounds 5] [--calls 2]

WORK gets two C projects of the bundle's program, each built with its own Makefile and called by a process of
its own; they take turns. Memory is the largest resident set as the kernel counts it, with the pages of a
mapped file; the file is in the page cache, since it was just written. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
from pathlib import Path
from typing import Any

import torch
from peers.emitted import CALLER
from timed_process import TimedProcess

from dgqc import load
from dgqc.backends.c import Storage, emit
from dgqc.backends.c.target import CTarget

KINDS = {Storage.FILE: "-DMAPPED", Storage.STREAM: "-DSTREAMED"}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=2)
    given = parser.parse_args()
    emitted(given.bundle, given.work)
    commands = {kind: built(given.work, kind, given.threads) for kind in KINDS}
    print(json.dumps(measured(given.work, commands, given.rounds, given.calls), indent=2))


def emitted(bundle: Path, work: Path) -> None:
    """The program in both forms, and one random input of each kind for all calls."""
    target = CTarget()
    program = target.lay_out(load(bundle).program, verified=False)
    generator = torch.Generator().manual_seed(0)
    shapes = [item.shape for item in program.inputs]
    inputs = [torch.randint(-9000, 9000, shape, generator=generator, dtype=torch.int16) for shape in shapes]
    for kind in KINDS:
        shutil.rmtree(work / kind.value, ignore_errors=True)
        emit(program, work / kind.value, storage=kind)
    (work / "inputs.s16").write_bytes(b"".join(one.numpy().tobytes() for one in inputs))


def built(work: Path, kind: Storage, threads: int) -> list[str]:
    """The command that times it."""
    folder = work / kind.value
    subprocess.run(["make", "-C", folder, "build/libmodel.a"], check=True, capture_output=True)
    sources = [CALLER, folder / f"{kind.host}.c", folder / "build" / "libmodel.a"]
    flags = ["-O2", "-fopenmp", "-pthread", KINDS[kind], f"-I{folder}", f"-I{folder / 'include'}"]
    subprocess.run(["cc", *flags, *sources, "-o", folder / "caller"], check=True)
    program, weights = folder / "caller", folder / "model_weights.bin"
    return [*map(str, (program, work / "inputs.s16", 0, 1, weights, folder / "output", threads))]


def measured(work: Path, commands: dict[Storage, list[str]], rounds: int, calls: int) -> dict[str, Any]:
    """Medians and fastest calls in ms, peaks in MB, and what they are to each other."""
    mapped, streamed = (TimedProcess(commands[kind]) for kind in KINDS)
    seconds: dict[Storage, list[float]] = {kind: [] for kind in KINDS}
    with mapped, streamed:
        processes = dict(zip(KINDS, (mapped, streamed), strict=True))
        for _ in range(rounds):
            for kind, process in processes.items():
                seconds[kind] += process.time(calls)
    found: dict[str, Any] = {
        kind.value: {
            "median, ms": round(1000 * statistics.median(seconds[kind]), 1),
            "fastest, ms": round(1000 * min(seconds[kind]), 1),
            "peak, MB": round(process.peak / 1e6, 1),
            "constants, MB": round((work / kind.value / "model_weights.bin").stat().st_size / 1e6, 1),
        }
        for kind, process in processes.items()
    }
    outputs = {(work / kind.value / "output").read_bytes() for kind in KINDS}
    ratio = statistics.median(seconds[Storage.STREAM]) / statistics.median(seconds[Storage.FILE])
    return found | {"streamed, times as long": round(ratio, 3), "same output": len(outputs) == 1}


if __name__ == "__main__":
    main()
