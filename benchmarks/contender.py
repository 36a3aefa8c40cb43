"""One contender of cpu.py, in a process of its own.

    python benchmarks/contender.py make NAME WORK MODEL CALIBRATION
    python benchmarks/contender.py run NAME WORK MODEL CALIBRATION OUTPUT THREADS

make converts, quantizes and builds what isn't there, and prints JSON: `bytes` on disk, `version`, and the
`command` that runs it, but for OUTPUT and THREADS. run writes its first result to OUTPUT in float32, says
"ready", and answers each number of calls on stdin with their seconds.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from peers.contenders import named
from peers.subject import Call, Subject


def main() -> None:
    # Libraries print what they like; on stdout go answers alone.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    what, name, *places = sys.argv[1:6]
    contender, subject = named(name), Subject(*map(Path, places))
    module = importlib.import_module(f"peers.{contender.runtime.module}")
    if what == "make":
        subject.keep_arguments()
        command = [sys.executable, __file__, "run", name, *places]
        made = {"version": version(contender.runtime.packages[0]), "command": command}
        print(json.dumps({**made, **module.make(subject, contender)}), file=answers)
    else:
        output, threads = Path(sys.argv[6]), int(sys.argv[7])
        call = module.load(subject, contender, threads)
        np.asarray(call(), dtype=np.float32).tofile(output)
        print("ready", file=answers)
        for line in sys.stdin:
            print(*(seconds(call) for _ in range(int(line))), file=answers)


def seconds(call: Call) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
