"""`dgq-exact` beside the quantizers of DGQ's authors, on the same recorded activations.

    git clone https://github.com/ugonfor/DGQ CHECKOUT
    python benchmarks/authors.py CHECKOUT [--model FOLDER] [--bits 8,6,4] [--groups 1,2,8,16]

Records what the float UNet multiplies at each call, calibrates the authors' own classes with it, and compares
what they decide with what we do: on the same tensors, and in the compiled preset, which observes by itself.

Columns: how many quantizers there are; how many of them agree in the dimension, in which indices share a
group, in all zero points, in every bit of all scales; among those with the same groups, the largest relative
difference of a scale; the share of values that get the same code.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import torch
from authors_code import Authors, load
from recorded_operands import Batches, Recorded, record
from torch import nn
from torch.nn.functional import unfold

from dgqc.cli.console import quiet_libraries
from dgqc.compiler.driver import lower
from dgqc.compiler.request import Request
from dgqc.demo_model import pipeline_dir, prompts
from dgqc.frontends.calibrating.calibrate import calibrate
from dgqc.frontends.loading.load import load_model
from dgqc.ir.calibration import Calibration
from dgqc.ir.errors import DgqcError
from dgqc.ir.ops.simulate import fake_quantize, fake_quantize_log2
from dgqc.ir.plans import CallQuantizer, Dimension, Role, SteppedOperand
from dgqc.passes.activations.step_groups import merged, quantizer, ranges_of

GUIDANCE = 1.5
BATCH = 4
"""Prompts, so 8 samples, as their code takes at once."""
COLUMNS = "| bits | groups | quantizers | dimension | groups | zero points | scales | largest | codes |"


@dataclass(frozen=True)
class Site:
    """One quantizer of the compiled preset, beside what the authors' sees.

    batches: their view, whose last axis is one dimension and the one before it the other. turned: whether
    ours has the two the other way round. inputs, module: of a layer, before im2col.
    """

    plan: SteppedOperand
    batches: Sequence[torch.Tensor]
    turned: bool = False
    inputs: Sequence[torch.Tensor] = ()
    module: nn.Module | None = None

    def theirs(self, authors: Authors, bits: int, groups: int) -> Any:
        if self.module is None:
            return authors.of_operand(self.batches, bits, groups)
        return authors.of_layer(self.module, self.inputs, bits, groups)

    def ours(self, groups: int) -> CallQuantizer:
        """What we make of the same tensors."""
        role = self.plan.operand.role
        views = [x.transpose(-1, -2) if self.turned else x for x in self.batches]
        seen = reduce(merged, (ranges_of(x, role) for x in views))
        return quantizer(self.plan.operand, seen, groups)

    def along_last(self, dimension: Dimension) -> bool:
        """Whether a dimension of ours is the last axis of their view."""
        last_is_channel = self.plan.operand.role in (Role.LINEAR, Role.LEFT) or self.turned
        return (dimension is Dimension.CHANNEL) == last_is_channel


@dataclass(frozen=True)
class Agreement:
    """Of one quantizer at one call.

    scale: the largest relative difference. zero: the largest difference. codes: the share that is the same.
    """

    dimension: bool
    groups: bool
    scale: float
    zero: float
    codes: float


def agreement(site: Site, ours: CallQuantizer, theirs: Any) -> Agreement:
    count = len(ours.scale)
    last = site.along_last(ours.dimension)
    delta, zero_point = (torch.as_tensor(t).detach().float() for t in (theirs.delta, theirs.zero_point))
    if delta.dim() and delta.shape != ((1, 1, count) if last else (1, count, 1)):
        return Agreement(False, False, torch.inf, torch.inf, 0.0)
    wide, far = delta.reshape(-1).expand(count), zero_point.reshape(-1).expand(count)
    scale, zero = ours.scale.float(), ours.zero.float()
    equal = total = 0
    for x in site.batches:
        axis = x.dim() - (1 if last else 2)
        one_each = torch.tensor(0), scale[None], zero[None], torch.arange(count), axis
        mine = fake_quantize(x, *one_each, site.plan.operand.bits)
        view = [count if d == axis else 1 for d in range(x.dim())]
        with torch.no_grad():
            steps = torch.round(mine / scale.view(view)), torch.round(theirs(x) / wide.view(view))
        equal += int((steps[0] + zero.view(view) == steps[1] + far.view(view)).sum())
        total += x.numel()
    return Agreement(
        True,
        partition(scale, zero) == partition(wide, far),
        float(((scale - wide) / wide).abs().max()),
        float((zero - far).abs().max()),
        equal / total,
    )


def partition(scale: torch.Tensor, zero: torch.Tensor) -> list[int]:
    """Groups by what their members share, numbered in the order in which they first appear."""
    seen: dict[tuple[float, float], int] = {}
    return [seen.setdefault(pair, len(seen)) for pair in zip(scale.tolist(), zero.tolist(), strict=True)]


def sites(plans: Mapping[str, Any], unet: nn.Module, found: Recorded) -> Iterator[tuple[str, Site]]:
    """The preset's quantizers. Where it has one for several readers of a value, theirs are the same too."""
    modules = {name.replace(".", "_"): (name, module) for name, module in unet.named_modules()}
    for full, plan in plans.items():
        if not isinstance(plan, SteppedOperand):
            continue
        node, _, kind = full.rpartition(".")
        if kind == "input":
            name, module = modules[node]
            inputs = found.layers[name]
            views = [_matrix(module, x) for x in inputs]
            yield full, Site(plan, views, inputs=inputs, module=module)
        else:
            attention = node[: node.index("_attn") + len("_attn1")]
            kinds: dict[str, Batches] = {"left": found.queries, "right": found.keys, "values": found.values}
            xs = kinds[kind][modules[attention][0]]
            if kind == "right" and plan.pixels < xs[0].shape[-2]:
                xs = [x[..., 1:, :] for x in xs]  # the start token's key stays as it is
            yield full, Site(plan, xs, turned=kind == "right")


def _matrix(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    if not isinstance(module, nn.Conv2d):
        return x
    return unfold(x, module.kernel_size, padding=module.padding, stride=module.stride)


def row(bits: int, groups: int, found: Sequence[Agreement]) -> str:
    alike = [one for one in found if one.groups]
    cells = (
        bits,
        groups,
        len(found),
        sum(one.dimension for one in found),
        len(alike),
        sum(one.zero == 0 for one in found),
        sum(one.scale == 0 for one in found),
        f"{max((one.scale for one in alike), default=0.0):.0e}",
        f"{100 * sum(one.codes for one in found) / len(found):.4f} %",
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def probabilities(authors: Authors, recorded: Sequence[Recorded], bits: Sequence[int]) -> Iterator[str]:
    """Attention probabilities: a sample by itself, and the batches as they are."""
    yield "| bits | attention | values | the same, a sample at a time | the same, a batch at a time |"
    yield "| --- | --- | --- | --- | --- |"
    for wide in bits:
        theirs = authors.of_probabilities(wide)
        for kind in ("attn1", "attn2"):
            total, alone, together = 0, 0, 0
            for p in _probabilities(recorded, kind):
                ours = fake_quantize_log2(p, wide, "tensor")
                alone += sum(int((theirs(p[i : i + 1]) == ours[i : i + 1]).sum()) for i in range(len(p)))
                together += int((theirs(p) == ours).sum())
                total += p.numel()
            name = "self" if kind == "attn1" else "cross, behind the start token"
            shares = f"{100 * alone / total:.4f} % | {100 * together / total:.1f} %"
            yield f"| {wide} | {name} | {total} | {shares} |"


def _probabilities(recorded: Sequence[Recorded], kind: str) -> Iterator[torch.Tensor]:
    for found in recorded:
        for name, batches in found.probabilities.items():
            if name.endswith(kind):
                yield from (p if kind == "attn1" else p[..., 1:] for p in batches)


def report(
    authors: Authors, model: Path, samples: Calibration, bits: Sequence[int], groups: Sequence[int]
) -> None:
    unet = load_model(model).model
    calls = list(enumerate(samples.schedule.timesteps))
    recorded = [record(unet, samples.read(step), timestep) for step, timestep in calls]
    alone, compiled = [], []
    for wide in bits:
        for count in groups:
            opt = f"dgq-exact-w8a{wide}g{count}"
            program, _ = lower(Request(model, opt=opt, calibration=samples, stop_after="step-groups"))
            here, there = [], []
            for step, found in enumerate(recorded):
                for _, site in sites(program.plans, unet, found):
                    theirs = site.theirs(authors, wide, count)
                    here.append(agreement(site, site.ours(count), theirs))
                    there.append(agreement(site, site.plan.calls[step], theirs))
            alone.append(row(wide, count, here))
            compiled.append(row(wide, count, there))
            print(alone[-1], file=sys.stderr)
    for title, rows in (("On the same tensors", alone), ("In the compiled preset", compiled)):
        print(f"{title}\n\n{COLUMNS}\n{'| --- ' * COLUMNS.count(' | ')}| --- |", *rows, sep="\n", end="\n\n")
    print("Attention probabilities\n", *probabilities(authors, recorded, bits), sep="\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--model", type=Path, default=pipeline_dir())
    parser.add_argument("--bits", default="8,6,4")
    parser.add_argument("--groups", default="1,2,8,16")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=8)
    arguments = parser.parse_args()
    quiet_libraries()
    try:
        authors = load(arguments.checkout)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "calls.safetensors"
            chosen = prompts()[: arguments.prompts]
            samples = calibrate(arguments.model, chosen, arguments.steps, file, 0, BATCH, GUIDANCE)
            bits, groups = ([int(n) for n in text.split(",")] for text in (arguments.bits, arguments.groups))
            report(authors, arguments.model, samples, bits, groups)
    except DgqcError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
