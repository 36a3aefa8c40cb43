"""Ways to code attention probabilities, everything else in float: signal to noise of the demo model's output.

    python benchmarks/attention.py [--model FOLDER] [--calls 5] [--held-out 8]

Quantizers that the compiler doesn't have stand beside those it has, to see whether they were worth an op.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import fx

from dgqc.compare.store import Store
from dgqc.compare.trajectory import decibels
from dgqc.compare.workload import Amounts, demo
from dgqc.compiler.driver import lower
from dgqc.compiler.request import Request
from dgqc.demo_model import pipeline_dir
from dgqc.ir.ops.simulate import fake_quantize_log2, fake_quantize_uniform, largest_probability
from dgqc.ir.plans import Probabilities
from dgqc.ir.program import Program
from dgqc.passes.graph.batches import arguments

Quantizer = Callable[[torch.Tensor, int], torch.Tensor]


def normalized(p: torch.Tensor, bits: int) -> torch.Tensor:
    """Powers of two whose sum is that of the row's probabilities, instead of a largest that is exact."""
    codes = fake_quantize_log2(p, bits, "row")
    return codes * (p.sum(dim=-1, keepdim=True) / codes.sum(dim=-1, keepdim=True))


def half_steps(p: torch.Tensor, bits: int) -> torch.Tensor:
    """Powers of the square root of two."""
    largest = largest_probability(p, "row")
    halves = torch.round(-2 * torch.log2((p / largest).clamp(min=1e-38))).clamp(0, 2**bits - 1)
    return largest * torch.exp2(-halves / 2)


QUANTIZERS: dict[str, Quantizer] = {
    "log2, a scale per sample (the paper)": lambda p, bits: fake_quantize_log2(p, bits, "tensor"),
    "log2, a scale per row": lambda p, bits: fake_quantize_log2(p, bits, "row"),
    "log2, rows normalized by their codes' sum": normalized,
    "half-step log, a scale per row": half_steps,
    "uniform, a scale per row": lambda p, bits: fake_quantize_uniform(p, bits, "row"),
}


class Attending(fx.Interpreter):
    """Runs a float graph with one quantizer for all probabilities."""

    def __init__(self, program: Program, quantizer: Quantizer, bits: int) -> None:
        super().__init__(program.graph)
        self.plans, self.quantizer, self.bits = program.plans, quantizer, bits

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        plan = self.plans.get(str(n.args[1])) if n.target is torch.ops.dgqc.site.default else None
        return self.quantizer(value, self.bits) if isinstance(plan, Probabilities) else value


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=pipeline_dir())
    parser.add_argument("--calls", type=int, default=5)
    parser.add_argument("--held-out", type=int, default=8, help="prompts whose calls are measured")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/tables"))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    sizes = Amounts(calibration=1, held_out=chosen.held_out, pictures=0)
    workload = demo(Store(chosen.output / "measured"), sizes, None, chosen.model)
    samples = workload.held_out
    front = "fold-time-embedding,split-prologue,split-start-token,insert-sites"
    request = Request(workload.unet, calibration=samples, pass_pipeline=front, stop_after="insert-sites")
    program, _ = lower(request)
    given = []
    for step in np.linspace(0, workload.steps - 1, chosen.calls).round().astype(int).tolist():
        batch = {
            key: torch.cat([part[key] for part in samples.read(step)])
            for key in ("sample", "encoder_hidden_states")
        }
        (real,) = arguments(program, batch)
        with torch.no_grad():
            given.append((real, torch.tensor(step), program.graph(*real, torch.tensor(step))))
    print("| probabilities | 8 bits | 6 bits | 4 bits |\n| --- | --- | --- | --- |")
    for title, quantizer in QUANTIZERS.items():
        means = []
        for bits in (8, 6, 4):
            attending = Attending(program, quantizer, bits)
            with torch.no_grad():
                found = [decibels(wanted, attending.run(*real, step)) for real, step, wanted in given]
            means.append(f"{np.mean(found):.1f} dB")
        print(f"| {title} | {' | '.join(means)} |", flush=True)


if __name__ == "__main__":
    main()
