"""The UNet that everybody runs, and what they run it on.

Libraries are imported where they are used, here and beside it, so that nobody's memory holds another's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

NAMES = ("sample", "timestep", "encoder_hidden_states")
ROWS = 2
"""Samples of each call of the schedule that int8 is calibrated with."""

Arguments = dict[str, np.ndarray[Any, Any]]
"""Float32 by name, in the order of `NAMES`: sample (1, C, H, W), timestep (1,), context (1, N, D)."""

Call = Callable[[], Any]
"""One UNet call; returns what can become a numpy array."""


@dataclass(frozen=True)
class Subject:
    """work: where converted models, bundles and outputs are kept. model: what dgqc compiles.

    calibration: samples, as `dgqc calibrate` writes them.
    """

    work: Path
    model: Path
    calibration: Path

    def load(self) -> torch.nn.Module:
        """The float32 UNet."""
        from diffusers import UNet2DConditionModel

        inside = self.model / "unet"
        return UNet2DConditionModel.from_pretrained(inside if inside.exists() else self.model).eval()

    def step(self) -> int:
        """The call of the schedule that is timed: one in the middle."""
        from dgqc.frontends.calibrating.calibration_file import load_calibration

        return len(load_calibration(self.calibration).schedule) // 2

    def keep_arguments(self) -> None:
        """Writes what every contender is called with: the first recorded sample at that call."""
        np.savez(self._kept(), **next(self._recorded(self.step())))

    def arguments(self) -> Arguments:
        """What `keep_arguments` wrote."""
        kept = np.load(self._kept())
        return {name: kept[name] for name in NAMES}

    def samples(self) -> Iterator[Arguments]:
        """What int8 is calibrated with: the first ROWS recorded samples at every call of the schedule."""
        from dgqc.frontends.calibrating.calibration_file import load_calibration

        for step in range(len(load_calibration(self.calibration).schedule)):
            for _, arguments in zip(range(ROWS), self._recorded(step), strict=False):
                yield arguments

    def _kept(self) -> Path:
        return self.work / "inputs.npz"

    def _recorded(self, step: int) -> Iterator[Arguments]:
        from dgqc.frontends.calibrating.calibration_file import load_calibration

        recorded = load_calibration(self.calibration)
        timestep = np.array([recorded.schedule.timesteps[step]], dtype=np.float32)
        for batch in recorded.read(step):
            for sample, context in zip(batch["sample"], batch["encoder_hidden_states"], strict=True):
                values = (sample[None].float().numpy(), timestep, context[None].float().numpy())
                yield dict(zip(NAMES, values, strict=True))
