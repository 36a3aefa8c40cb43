"""Judges and decoders of the user's own: functions that installed packages offer by entry points."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny

from ..frontends.parts.decoders import Latents
from ..ir.entry_points import loaded, offered, package_of
from ..ir.errors import DgqcError
from ..ir.storage.json_text import read_json_object
from .drawing import Decode, Pictures

JUDGES, DECODERS = "dgqc.judges", "dgqc.decoders"
"""Groups of entry points."""
JudgeFunction = Callable[[Pictures, Sequence[str], Pictures | None], Mapping[str, float]]
"""figures(pictures, prompts, beside): pictures uint8 (N, height, width, 3), and beside them the float model's
of the same prompts and seeds, or None for its own."""
AUTOENCODERS: Mapping[str, Any] = {one.__name__: one for one in (AutoencoderKL, AutoencoderTiny)}


@dataclass(frozen=True)
class OwnJudge:
    """Another package's. name: what measurements are kept under, with the package and its version."""

    name: str
    figures: JudgeFunction = field(compare=False)

    def check(self, prompts: Sequence[str]) -> None:
        """It is asked when there are pictures."""

    def judge(self, pictures: Pictures, prompts: Sequence[str], beside: Pictures | None) -> dict[str, float]:
        found = self.figures(pictures, prompts, beside)
        wrong = f"The judge {self.name} gives {type(found).__name__}"
        if not isinstance(found, Mapping):
            raise DgqcError(f"{wrong}, but figures are a dictionary of names and numbers.")
        for name, value in found.items():
            if not isinstance(value, int | float | np.number) or not math.isfinite(value):
                raise DgqcError(
                    f"The judge {self.name} gives {name!r} = {value!r}, but a figure is a number."
                )
        return {str(name): float(value) for name, value in found.items()}


def judge_names() -> list[str]:
    """Of other packages' judges."""
    return sorted({point.name for point in offered(JUDGES)})


def own_judge(name: str) -> OwnJudge:
    """Raises DgqcError where no package offers it, or it can't be loaded."""
    origin, function = _loaded(JUDGES, name, "judge")
    return OwnJudge(f"{name} ({origin})", function)


def decoder(wanted: str) -> tuple[str, Decode]:
    """Its name for what is kept, and the function from latents to pictures.

    wanted: the folder of a VAE of diffusers, or what a package offers.
    """
    folder = Path(wanted)
    if folder.is_dir():
        return f"{folder.resolve()}", _autoencoder(folder)
    return _loaded(DECODERS, wanted, "decoder")


def _loaded(group: str, name: str, what: str) -> tuple[str, Any]:
    """Package and version, and the function."""
    points = {package_of(point): point for point in offered(group) if point.name == name}
    if len(points) > 1:
        raise DgqcError(
            f"Several packages offer a {what} {name!r}: {', '.join(points)}; uninstall all but one."
        )
    if not points:
        known = ", ".join(sorted({point.name for point in offered(group)})) or "none"
        folder = "give a VAE's folder, or " if group == DECODERS else ""
        raise DgqcError(
            f"There is no {what} {name!r} among those that packages offer ({known}); {folder}install one "
            f"with an entry point of the group {group}."
        )
    ((package, point),) = points.items()
    function = loaded(point, f"The {what}")
    if not callable(function):
        raise DgqcError(f"The {what} {name} of the package {package} is {point.value}, which is no function.")
    version = getattr(getattr(point, "dist", None), "version", "")
    return f"{package} {version}".strip(), function


def _autoencoder(folder: Path) -> Decode:
    kind = str(read_json_object(folder / "config.json").get("_class_name", ""))
    if kind not in AUTOENCODERS:
        raise DgqcError(
            f"{folder} holds {kind or 'no class name'}, but a decoder is one of {', '.join(AUTOENCODERS)}."
        )
    try:
        model = AUTOENCODERS[kind].from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DgqcError(f"The decoder in {folder} can't be loaded: {reason}") from error
    latents = Latents(model.config)

    @torch.no_grad()
    def decode(given: torch.Tensor) -> Pictures:
        pixels = model.decode(latents.decoded(given.float()), return_dict=False)[0]
        values = (127.5 * (pixels + 1)).round().clamp(0, 255).byte()
        pictures: Pictures = values.permute(0, 2, 3, 1).numpy()
        return pictures

    return decode
