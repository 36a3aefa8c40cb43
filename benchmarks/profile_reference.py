"""Where a call of the reference goes: seconds and processor seconds by kind of op.

    python benchmarks/profile_reference.py BUNDLE [--step 0]

The reference is what test vectors and `measure-error` wait for, once a compile each.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from typing import Any

import torch
from torch import fx

import dgqc
from dgqc.bundle.vectors import random_inputs


class Timed(fx.Interpreter):
    """Runs a graph and keeps what each kind of op took: seconds, processor seconds, how often."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.took: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])

    def run_node(self, n: fx.Node) -> Any:
        seconds, processor = time.perf_counter(), time.process_time()
        value = super().run_node(n)
        spent = time.perf_counter() - seconds, time.process_time() - processor, 1
        kind = n.op if n.op != "call_function" else str(n.target)
        self.took[kind] = [before + more for before, more in zip(self.took[kind], spent, strict=True)]
        return value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("--step", type=int, default=0)
    options = parser.parse_args()
    program = dgqc.load(options.bundle).program
    timed = Timed(program.graph)
    inputs = random_inputs(program, options.step)
    with torch.no_grad():
        timed.run(*(inputs[given.name] for given in program.inputs), torch.tensor(options.step))
    total = [sum(column) for column in zip(*timed.took.values(), strict=True)]
    print(f"{'op':32} {'seconds':>8} {'processor':>9} {'calls':>6}")
    for kind, row in [*sorted(timed.took.items(), key=lambda item: -item[1][0]), ("all", total)]:
        print(f"{kind:32} {row[0]:8.2f} {row[1]:9.2f} {row[2]:6.0f}")


if __name__ == "__main__":
    main()
