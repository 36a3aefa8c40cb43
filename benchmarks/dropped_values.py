"""Figure 4a and table 1 of DGQ's paper: one value of each layer's input set to zero, an outlier or any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from dgqc.compare import Workload
from dgqc.compare.drawing import PictureSeries, draw
from dgqc.compare.store import Store, files_digest

Choice = Callable[[torch.Tensor], torch.Tensor]
"""choice(x): (samples, values), to the position of one value of each sample."""


def drop(unet: nn.Module, choose: Choice) -> None:
    """From now on each layer gets its input with one value of each sample set to zero."""

    def without(module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        x = arguments[0].clone()
        flat = x.reshape(len(x), -1)
        flat[torch.arange(len(x)), choose(flat)] = 0
        return (flat.reshape(x.shape), *arguments[1:])

    for module in unet.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.register_forward_pre_hook(without)


def outlier(x: torch.Tensor) -> torch.Tensor:
    """The largest magnitude's position."""
    return x.abs().argmax(dim=1)


def random(seed: int) -> Choice:
    """Any position, the same ones every time."""
    generator = torch.Generator().manual_seed(seed)

    def choose(x: torch.Tensor) -> torch.Tensor:
        return torch.randint(x.shape[1], (len(x),), generator=generator)

    return choose


def dropped_table(workload: Workload, store: Store) -> str:
    """Pictures with values dropped beside the same pictures without."""
    judge, drawing = workload.judge, workload.drawings[""]
    assert judge is not None
    key = ["figure-4", files_digest(drawing.model)]
    whole = _drawn(store, key, drawing, "nothing", None)
    lines = [
        "| of each layer's input, dropped | change of a pixel, of 255 | alignment | Frechet to originals |",
        "| --- | --- | --- | --- |",
    ]
    for name, choose in (("a random value", random(0)), ("the largest value", outlier)):
        pictures = _drawn(store, key, drawing, name, choose)
        found = judge.judge(pictures, drawing.prompts, whole)
        change = np.abs(pictures.astype(int) - whole.astype(int)).mean()
        lines.append(f"| {name} | {change:.3f} | {found['alignment']:.1f} % | {found['frechet_float']:.2f} |")
    return "\n".join([*lines, "", f"{len(whole)} pictures each.", ""])


def _drawn(store: Store, key: list[str], drawing: PictureSeries, name: str, choose: Choice | None) -> Any:
    def change(unet: nn.Module) -> None:
        if choose is not None:
            drop(unet, choose)

    parts = drawing.parts()
    found = [
        store.pictures([*key, name, one.to_json()], lambda one=one: draw(one, None, change)) for one in parts
    ]
    return np.concatenate(found)
