"""A compiled UNet: float in, float out, integers inside."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..backends.target import Drawer, Runner, Target
from ..bundle.bundle import Contents, read
from ..bundle.bundle import save as save_bundle
from ..bundle.manifest import Provenance
from ..ir.arithmetic.noise import NOISE_BITS, normal_noise
from ..ir.calibration import Inputs
from ..ir.errors import DgqcError
from ..ir.program import Program
from .backends import default_backend, open_backend, open_drawer
from .boundary import to_floats, to_integers
from .diffusers_unet import CompiledUNet
from .named_inputs import check_inputs, named_inputs

log = logging.getLogger("dgqc")


class CompiledProgram:
    """A program at the integer level with everything around it.

    program: the integer graph, its scales and its schedule.
    provenance: what was compiled and how.
    report: what the passes reported, by pass name.
    """

    def __init__(
        self,
        program: Program,
        provenance: Provenance,
        report: Mapping[str, Any],
        *,
        bundle: Path | None = None,
    ) -> None:
        """bundle: the folder it was loaded from; projects that were emitted there are used."""
        self.program = program
        self.provenance = provenance
        self.report = report
        self._bundle = bundle
        self._runners: dict[str, Runner] = {}
        self._drawers: dict[str, Drawer] = {}
        self._last_step = -1
        self._told_nearest = False

    def __call__(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor | float,
        encoder_hidden_states: torch.Tensor | None = None,
        class_labels: torch.Tensor | None = None,
        added_cond_kwargs: Mapping[str, torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """One UNet call on the fastest backend; see `run`."""
        return self.run(sample, timestep, encoder_hidden_states, class_labels, added_cond_kwargs)

    def run(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor | float,
        encoder_hidden_states: torch.Tensor | None = None,
        class_labels: torch.Tensor | None = None,
        added_cond_kwargs: Mapping[str, torch.Tensor] | None = None,
        *,
        backend: str | None = None,
        allow_nearest_step: bool = False,
    ) -> torch.Tensor:
        """One UNet call, sample by sample.

        sample: float (B, C, H, W), the size it was compiled for. timestep: one of the schedule's; where it
            stands there twice, the entry after the previous call's is meant.
        encoder_hidden_states: float (B, N, D). class_labels: (B,) or as the model takes them.
        added_cond_kwargs: `text_embeds` (B, E) and `time_ids` (B, 6) where the model takes them.
        backend: "c", "iree", "llvm" or "reference", with the same bits; None takes "c" where there is a C
            compiler.
        allow_nearest_step: maps other timesteps to the nearest of the schedule, and says so once.
        Returns float (B, C', H, W) of the sample's dtype and device.
        Raises DgqcError for a missing, superfluous or misshapen input and for a timestep of another schedule.
        """
        inputs = named_inputs(sample, encoder_hidden_states, class_labels, added_cond_kwargs)
        return self.answer(inputs, timestep, backend=backend, allow_nearest_step=allow_nearest_step)

    def answer(
        self,
        inputs: Inputs,
        timestep: torch.Tensor | float,
        *,
        backend: str | None = None,
        allow_nearest_step: bool = False,
    ) -> torch.Tensor:
        """`run` with its inputs by name."""
        check_inputs(inputs, self.provenance.inputs)
        step = self._step(timestep, allow_nearest_step)
        sample = inputs["sample"]
        samples = [
            to_integers(
                self.program,
                {name: value[index : index + 1].detach().cpu() for name, value in inputs.items()},
                step,
            )
            for index in range(sample.shape[0])
        ]
        # Opened only now, so that wrong inputs are refused before a C compiler runs.
        runner = self._runner(backend)
        outputs = [to_floats(self.program, runner(integers, step), step) for integers in samples]
        self._last_step = step
        return torch.cat(outputs).to(dtype=sample.dtype, device=sample.device)

    def run_integers(
        self, inputs: Mapping[str, torch.Tensor], step: int, *, backend: str | None = None
    ) -> torch.Tensor:
        """The integer graph itself. inputs: int16 by name, one sample. Returns int16."""
        return self._runner(backend)(inputs, step)

    def draw(
        self,
        seed: int,
        encoder_hidden_states: torch.Tensor | None = None,
        class_labels: torch.Tensor | None = None,
        added_cond_kwargs: Mapping[str, torch.Tensor] | None = None,
        *,
        backend: str | None = None,
    ) -> torch.Tensor:
        """Draws one picture with the program's denoising loop: the same on every machine.

        seed: of the noise. The conditions: as in `run`, of one sample. backend: as in `run`.
        Returns the float32 sample (1, C, H, W), in steps of 2^-12.
        Raises DgqcError as `run` does, and where the program was compiled without a loop.
        """
        shape = self.program.inputs[0].shape
        noise = normal_noise(seed, math.prod(shape)).reshape(shape)
        inputs = named_inputs(torch.zeros(shape), encoder_hidden_states, class_labels, added_cond_kwargs)
        check_inputs(inputs, self.provenance.inputs)
        conditions = to_integers(self.program, inputs, 0)
        del conditions[self.program.inputs[0].name]
        return self.draw_integers(noise, conditions, backend=backend).to(torch.float32) / (1 << NOISE_BITS)

    def draw_integers(
        self, noise: torch.Tensor, conditions: Mapping[str, torch.Tensor], *, backend: str | None = None
    ) -> torch.Tensor:
        """The denoising loop itself. noise: int16 in Q12, of the sample's shape. conditions: int16 by name.

        Returns the int16 picture in Q12."""
        name = backend or default_backend()
        if name not in self._drawers:
            self._drawers[name] = open_drawer(name, self.program, self._bundle)
        return self._drawers[name](noise, conditions)

    def save(
        self, directory: str | Path, targets: Sequence[str | Target] | None = None, **options: Any
    ) -> Path:
        """Writes the program as a bundle; see `dgqc.bundle.bundle.save`."""
        contents = Contents(self.program, self.provenance, self.report)
        return save_bundle(contents, Path(directory), targets, **options)

    def as_diffusers_unet(self, unet: nn.Module, **options: Any) -> CompiledUNet:
        """A drop-in for `unet` in a diffusers pipeline; see `dgqc.execution.diffusers_unet.CompiledUNet`."""
        return CompiledUNet(self, unet, **options)

    def _step(self, timestep: torch.Tensor | float, allow_nearest: bool) -> int:
        times = sorted(set(torch.as_tensor(timestep, dtype=torch.float64).reshape(-1).tolist()))
        if len(times) != 1:
            raise DgqcError(
                f"A call has one timestep, but it was given {len(times)}; call it once for each timestep."
            )
        schedule = self.program.schedule
        try:
            return schedule.step_of(times[0], after=self._last_step)
        except DgqcError:
            if not allow_nearest:
                raise
        nearest = schedule.nearest(times[0])
        if not self._told_nearest:
            log.warning(
                "Timestep %g is not in the compiled schedule; the nearest, %g, stands in for it and others.",
                times[0],
                schedule.timesteps[nearest],
            )
            self._told_nearest = True
        return nearest

    def _runner(self, backend: str | None) -> Runner:
        name = backend or default_backend()
        if name not in self._runners:
            self._runners[name] = open_backend(name, self.program, self._bundle)
        return self._runners[name]


def load(directory: str | Path) -> CompiledProgram:
    """Reads a bundle.

    Raises DgqcError when anything is missing, altered or of another format.
    """
    place = Path(directory)
    found = read(place)
    return CompiledProgram(found.program, found.provenance, found.report, bundle=place.resolve())
