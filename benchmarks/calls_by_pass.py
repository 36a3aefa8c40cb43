"""What each phase of a compile computes, in calls of the float model, and what memory it takes.

    OMP_NUM_THREADS=1 python benchmarks/calls_by_pass.py MODEL [-O w4a6] [--steps 25]
        [--samples 4] [--calib FILE] [--check]

A call is the multiply-adds of the captured graph for one sample. Whatever is multiplied counts: float calls,
simulated ones, integers, gradients, moments. MODEL is whatever `dgqc compile` takes, or `many-heads`: a
random UNet with eight heads over 64x64 pixels.
Work runs in one thread, since what other threads multiply isn't seen.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

import dgqc
from dgqc.ir.ops.captured import multiply_adds
from dgqc.ir.program import Program
from dgqc.passes.base import Pass

PAIR = 2
"""Operations of a multiply-add."""
MEGA = 1e6
SIZE, HEADS = 64, 8
"""Pixels on a side, and heads, of `many-heads`."""
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Multiplied(TorchDispatchMode):
    """Counts multiply-adds."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        packet = func._overloadpacket
        if packet in flop_registry:
            self.total += flop_registry[packet](*args, **(kwargs or {}), out_val=out) // PAIR
        elif func.namespace == "dgqc" and isinstance(out, torch.Tensor) and out.device.type != "meta":
            self.total += products(func.__name__.split(".")[0], args, out)
        return out


def products(name: str, args: Any, out: torch.Tensor) -> int:
    """Multiply-adds of an integer op."""
    if name == "matmul":
        return int(out.numel() * args[0].shape[-1])
    if name in ("linear", "conv2d", "conv2d_pixel"):
        weight = next(one for one in args[1:] if isinstance(one, torch.Tensor) and one.dtype == torch.int8)
        return out.numel() * weight[0].numel()
    return 0


@dataclass
class Counted:
    """An instrument: a line for each pass."""

    mode: Multiplied
    call: int = 1
    whole: float = 0.0
    begun: float = 0.0

    def before(self, item: Pass, program: Program) -> None:
        if not self.begun:
            self.call = multiply_adds(program.graph.graph)
            self.note("capturing, calibration", 0.0)
        forget_peak()
        self.begun = time.process_time()

    def after(self, item: Pass, program: Program, seconds: float) -> None:
        self.note(item.name, time.process_time() - self.begun)

    def note(self, name: str, seconds: float) -> None:
        calls = self.mode.total / self.call
        print(f"{calls:9.1f} calls {seconds:9.1f} s {peak() / MEGA:8.0f} MB  {name}", flush=True)
        self.whole += calls
        self.mode.total = 0


def peak() -> int:
    """Bytes of the largest resident memory since it was forgotten."""
    line = next(one for one in STATUS.read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def forget_peak() -> None:
    RESET.write_text("5")


def many_heads(size: int, heads: int) -> Any:
    """A random UNet whose attentions look at all of size x size pixels."""
    from diffusers import UNet2DConditionModel

    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=size,
        in_channels=4,
        out_channels=4,
        cross_attention_dim=32,
        attention_head_dim=heads,
        block_out_channels=(32, 64),
        norm_num_groups=8,
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("-O", dest="opt", default="w4a6")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--samples", type=int)
    parser.add_argument("--calib", type=Path)
    parser.add_argument("--parts", default="unet")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with Multiplied() as mode:
        counted = Counted(mode)
        options: dict[str, Any] = {"steps": given.steps, "samples": given.samples, "calibration": given.calib}
        dgqc.compile(
            many_heads(SIZE, HEADS) if given.model.name == "many-heads" else given.model,
            given.opt,
            instruments=[counted],
            check=given.check,
            parts=given.parts,
            **{name: value for name, value in options.items() if value is not None},
        )
        counted.note("the rest", 0.0)
    print(f"{counted.whole:9.1f} calls in all")


if __name__ == "__main__":
    main()
