"""Attention scores of a float model: table A.3 and figure 5 of DGQ's paper."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor
from torch import nn

from dgqc.compare import Workload
from dgqc.frontends.loading.arguments import call_arguments

BINS = np.linspace(-20, 0, 81)
"""Of log2 of a score."""


@dataclass(frozen=True)
class Scores:
    """One attention's at one call. values: (samples, heads, queries, keys)."""

    place: str
    cross: bool
    values: torch.Tensor


def scores(workload: Workload) -> Iterator[Scores]:
    """All attentions at all calls of the held-out prompts."""
    unet = workload.unet
    seen: list[Scores] = []
    for place, module in unet.named_modules():
        if isinstance(module, Attention):
            _watch(place, module, seen)
    for step, timestep in enumerate(workload.held_out.schedule.timesteps):
        for inputs in workload.held_out.read(step):
            with torch.no_grad():
                unet(**call_arguments(inputs), timestep=timestep)
            yield from seen
            seen.clear()


def _watch(place: str, module: nn.Module, seen: list[Scores]) -> None:
    attention: Any = module
    attention.set_processor(AttnProcessor())
    original = attention.get_attention_scores

    def recorded(query: torch.Tensor, key: torch.Tensor, mask: Any = None) -> torch.Tensor:
        found: torch.Tensor = original(query, key, mask)
        heads = attention.heads
        values = found.detach().reshape(-1, heads, *found.shape[1:])
        seen.append(Scores(place, bool(attention.is_cross_attention), values))
        return found

    attention.get_attention_scores = recorded


def scores_table(workload: Workload) -> str:
    """Table A.3: standard deviation of log2 of a layer's largest score, over samples, layers and calls."""
    largest: dict[tuple[str, bool], list[float]] = {}
    for one in scores(workload):
        values = one.values[..., 1:] if one.cross else one.values
        peaks = values.amax(dim=(1, 2, 3)).log2().tolist()
        largest.setdefault((one.place, one.cross), []).extend(peaks)
    whole = {
        cross: [peak for (_, own), peaks in largest.items() if own == cross for peak in peaks]
        for cross in (True, False)
    }
    inside = {
        cross: [float(np.std(peaks)) for (_, own), peaks in largest.items() if own == cross]
        for cross in (True, False)
    }
    # A transformer block has one attention of each kind.
    ratios = [a / b for a, b in zip(inside[True], inside[False], strict=True)]
    lines = ["| | cross-attention, without the start token | self-attention | ratio |", "| --- " * 4 + "|"]
    deviation = {cross: float(np.std(peaks)) for cross, peaks in whole.items()}
    mean = {cross: float(np.mean(peaks)) for cross, peaks in whole.items()}
    lines.append(f"| mean of log2 of the largest score | {mean[True]:.3f} | {mean[False]:.3f} | |")
    ratio = deviation[True] / deviation[False]
    lines.append(
        f"| standard deviation, all layers | {deviation[True]:.3f} | {deviation[False]:.3f} | {ratio:.2f} |"
    )
    within = {cross: float(np.mean(deviations)) for cross, deviations in inside.items()}
    lines.append(
        f"| standard deviation in a layer, mean | {within[True]:.3f} | {within[False]:.3f} | "
        f"{np.mean(ratios):.2f} (mean of ratios) |"
    )
    return "\n".join([*lines, "", f"{len(whole[True])} largest scores of each kind.", ""])


def scores_figure(workload: Workload, path: Path) -> str:
    """Figure 5a: how scores are distributed. Draws them, and gives what the text needs."""
    counts: dict[str, np.ndarray[Any, Any]] = {}
    start: list[float] = []
    for one in scores(workload):
        parts = {"self-attention": one.values}
        if one.cross:
            parts = {"cross, start token": one.values[..., :1], "cross, other tokens": one.values[..., 1:]}
            start.extend(one.values[..., 0].flatten()[::97].tolist())
        for name, values in parts.items():
            found, _ = np.histogram(values.clamp(min=2**-20).log2().numpy(), BINS)
            counts[name] = counts.get(name, np.zeros(len(BINS) - 1)) + found
    _draw(path, counts)
    share = np.asarray(start)
    lines = ["| | |", "| --- | --- |"]
    lines.append(f"| start token's score, mean over queries | {share.mean():.3f} |")
    lines.append(f"| queries that give it more than 0.9 | {100 * (share > 0.9).mean():.1f} % |")
    for name, found in counts.items():
        middle = BINS[:-1][np.searchsorted(np.cumsum(found), found.sum() / 2)]
        lines.append(f"| median score, {name} | 2^{middle:.1f} ({math.pow(2, middle):.4f}) |")
    return "\n".join(lines) + "\n"


def _draw(path: Path, counts: dict[str, np.ndarray[Any, Any]]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(8, 4))
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for name, found in counts.items():
        axes.stairs(found / found.sum(), BINS, label=name)
    axes.set(xlabel="log2 of the score", ylabel="share of scores")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, bbox_inches="tight")
