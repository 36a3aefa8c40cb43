"""Each choice of ours beside the paper's and others, one at a time: what is it worth?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import other_choices  # noqa: F401  (registers its passes)
import torch
from torch import nn

from dgqc.compare import Candidate, Workload, candidate
from dgqc.compare.candidates import simulation
from dgqc.compare.drawing import draw
from dgqc.compare.store import Store, files_digest

DISTURBANCE_DB = 20
"""How far below a call's output its disturbance is."""
DISTURBED = 4
"""Pictures that are drawn for each call."""


def choices(width: str, iterations: int, costs: Sequence[float]) -> list[Candidate]:
    """Ways to quantize activations where weights have 8 bits, ways to round weights where they have fewer.

    iterations: of learning. costs: of the same error at each call, to the picture.
    """
    return _activations(width, costs) if width.startswith("w8") else _weights(width, iterations)


def picture_costs(workload: Workload, store: Store) -> list[float]:
    """How much pictures change, in squares of a pixel's 255 steps, where one call's output is disturbed."""
    whole_set = workload.drawings[""]
    drawing = replace(whole_set, prompts=whole_set.prompts[:DISTURBED])

    def measured() -> list[float]:
        whole = draw(drawing, None).astype(float)
        found = []
        for step in range(len(workload.calibration.schedule)):
            pictures = draw(drawing, None, lambda unet, at=step: disturb(unet, at))
            found.append(float(np.square(pictures - whole).mean()))
        return found

    key = ["picture costs", files_digest(drawing.model), drawing.to_json(), DISTURBANCE_DB]
    costs: list[float] = store.value(key, measured)
    return costs


def disturb(unet: nn.Module, step: int) -> None:
    """From now on noise is added to the output of one call."""
    calls = count()
    generator = torch.Generator().manual_seed(step)

    def disturbed(module: nn.Module, arguments: Any, output: Any) -> Any:
        if next(calls) != step:
            return output
        x = output[0]
        noise = torch.randn(x.shape, generator=generator) * x.square().mean().sqrt()
        return (x + noise * 10 ** (-DISTURBANCE_DB / 20), *output[1:])

    unet.register_forward_hook(disturbed)


def _without(passes: str, *names: str) -> str:
    """A pipeline without some passes, whose facts nobody needs there."""
    return ",".join(part for part in passes.split(",") if part not in names)


def _activations(width: str, costs: Sequence[float]) -> list[Candidate]:
    """The paper's choices but for attention, which is coded as fits, and one thing changed in each row."""
    start = _passes(f"{width},grouping=kmeans,ranges=minmax,rounding=nearest,keep=none")
    written = ";".join(f"{cost:.3g}" for cost in costs)
    attention, groups, tables = "choose-probabilities", "kmeans-groups", "timestep-tables"

    def instead(name: str, old: str, new: str) -> Candidate:
        if start.count(old) != 1:
            raise ValueError(f"{old} stands {start.count(old)} times in {start}.")
        return Candidate(f"{width}, {name}", start.replace(old, new))

    observed = f"observe-ranges{{attentions=5}},balance-channels,outlier-dims,{groups}"
    anew = instead("grouped anew at each call", observed, "step-groups")
    return [
        instead("the paper's", attention, "log-quant{scale=tensor}"),
        instead("powers of two, scales of rows", attention, "log-quant{scale=row}"),
        instead("uniform, scales of calls", attention, "uniform-quant{scale=static}"),
        Candidate(f"{width}, attention as fits", start),
        simulation(Candidate(anew.name, _without(anew.passes, "widen-ranges", "choose-exponents", tables))),
        instead("ranges normalized by call", groups, "normalized-groups"),
        instead("groups by error", groups, "error-groups"),
        instead("groups by error and cost", groups, f'picture-groups{{costs="{written}"}}'),
        simulation(instead("scales of 12 bits", tables, f"{tables}{{ratio-bits=12}}")),
        instead("scales of 4 bits", tables, f"{tables}{{ratio-bits=4}}"),
        instead("scales of 3 bits", tables, f"{tables}{{ratio-bits=3}}"),
        instead("scales as powers of two", tables, "power-of-two-tables"),
        instead("searched ranges", attention, f"search-ranges{{candidates=9,samples=16}},{attention}"),
        instead(
            "time embedding quantized",
            "fold-time-embedding",
            f"quantized-time-embedding{{weights={width[1]},activations={width[3]}}}",
        ),
        Candidate(f"{width}, the default", _passes(width)),
    ]


def _weights(width: str, iterations: int) -> list[Candidate]:
    """The default, with weights rounded in other ways; a rounding may travel as far as in the presets."""
    start = _passes(f"{width},rounding=nearest")

    def learned(name: str, what: str, travel: float) -> Candidate:
        options = f"{{iterations={iterations},rate={travel / iterations:g}}}"
        return Candidate(f"{width}, {name}", start.replace("lower-integer", f"{what}{options},lower-integer"))

    return [
        Candidate(f"{width}, weights to nearest", start),
        learned("AdaRound", "adaround", 10),
        learned("BRECQ", "brecq", 10),
        learned("FBR", "fbr", 30),
        Candidate(f"{width}, the default", _passes(width)),
    ]


def _passes(preset: str) -> str:
    """A preset's without branches, but for the errors of single layers, which nobody asks for here."""
    return candidate(f"{preset},branches=none").passes.replace("measure-error,", "")
