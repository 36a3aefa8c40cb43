"""Integer loops beside diffusers' own schedulers: what they are off by, as a table.

python tests/properties/loops.py
"""

from __future__ import annotations

import math
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch

from dgqc.compiler.loop_ranges import ranges_of
from dgqc.compiler.loop_tables import tabulate, unit_of
from dgqc.frontends.samplers import sampler_of, trajectory
from dgqc.frontends.schedules import schedule_for
from dgqc.ir.denoising import DenoisingLoop
from dgqc.ir.drawing import UNGUIDED, Drawing
from dgqc.ir.sampler import Sampler
from dgqc.ir.schedule import Schedule

SAMPLE_SCALE, OUTPUT_SCALE = 1.6e-4, 1.5e-4
SHAPE = (1, 1, 8, 8)

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SPREAD = {**SD, "timestep_spacing": "trailing"}
VELOCITY = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}

SERVED: dict[str, dict[str, Any]] = {
    "DDIM": {**SD, "clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1},
    "DDIM, clipped": {"clip_sample_range": 1.5},
    "DDIM, velocity": {**VELOCITY, "clip_sample": False},
    "DDIM, pictures": {"prediction_type": "sample", "timestep_spacing": "trailing"},
    "DDPM": {**SD, "clip_sample": False},
    "DDPM, clipped": {"variance_type": "fixed_large"},
    "PNDM": {**SD, "skip_prk_steps": True, "steps_offset": 1},
    "PNDM, Runge-Kutta first": {**SD},
    "LMSDiscrete": {**SD},
    "LMSDiscrete, Karras": {**SD, "use_karras_sigmas": True},
    "EulerDiscrete": {**SPREAD},
    "EulerDiscrete, velocity": {**VELOCITY},
    "EulerAncestralDiscrete": {**SPREAD},
    "HeunDiscrete": {**SPREAD},
    "HeunDiscrete, clipped": {**SPREAD, "clip_sample": True},
    "KDPM2Discrete": {**SD},
    "KDPM2AncestralDiscrete": {**SD},
    "DPMSolverMultistep": {**SPREAD, "solver_order": 3},
    "DPMSolverMultistep, Karras": {**SD, "use_karras_sigmas": True},
    "DPMSolverMultistep, SDE": {**SPREAD, "algorithm_type": "sde-dpmsolver++"},
    "DPMSolverMultistep, first kind": {**SD, "algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min"},
    "DPMSolverSinglestep": {**SD},
    "DEISMultistep": {**SD},
    "UniPCMultistep": {**SPREAD, "solver_order": 3},
    "UniPCMultistep, velocity": {**SD, "prediction_type": "v_prediction"},
    "SASolver": {**SD},
    "LCM": {**SD},
    "TCD": {**SD},
    "EDMEuler": {},
    "EDMDPMSolverMultistep": {},
    "FlowMatchEulerDiscrete": {"shift": 3.0},
    "FlowMatchHeunDiscrete": {},
    "IPNDM": {},
    "CMStochasticIterative": {},
}
"""Names as in docs/pictures.md, and what is set."""
if find_spec("torchsde"):
    # diffusers has these only where its noise comes from.
    SERVED |= {"DPMSolverSDE": {**SD}, "CosineDPMSolverMultistep": {}}


def scheduler_of(name: str, steps: int, config: dict[str, Any] | None = None) -> tuple[Any, Schedule]:
    kind = f"{name.partition(',')[0]}Scheduler"
    return schedule_for({**(SERVED[name] if config is None else config), "_class_name": kind}, steps)


@cache
def made(name: str, steps: int) -> tuple[Any, Sampler, DenoisingLoop]:
    """diffusers' scheduler, what it answered, and the loop for it."""
    scheduler, schedule = scheduler_of(name, steps)
    sampler = sampler_of(scheduler)
    ones = torch.ones(len(schedule), dtype=torch.float64)
    return scheduler, sampler, tabulate(sampler, SAMPLE_SCALE * ones, OUTPUT_SCALE * ones)


def units_of(sampler: Sampler) -> list[float]:
    return [unit_of(bound) for bound in ranges_of(sampler, [OUTPUT_SCALE] * len(sampler)).states]


def error_of(name: str, steps: int, seed: int, start: int = 0, guidance: int = UNGUIDED) -> float:
    """The largest difference of a whole trajectory, of its range, the model's outputs given."""
    scheduler, sampler, loop = made(name, steps)
    random = torch.Generator().manual_seed(seed)
    calls = len(loop) - start

    def codes(count: int, size: float) -> torch.Tensor:
        found = torch.randn(count, *SHAPE[1:], generator=random) * size
        return found.round().clamp(-32768, 32767).to(torch.int16)

    noise, answers = (
        codes(loop.noise_pictures, 4096),
        codes(2 * calls, 6000 if guidance == UNGUIDED else 1200).reshape(2, calls, *SHAPE),
    )
    latent = codes(1, 4096) if start else None
    condition = {"condition": torch.zeros(1, dtype=torch.int16)}
    negative = {"condition": torch.ones(1, dtype=torch.int16)}

    def answer(codes: torch.Tensor, given: Any, step: int) -> torch.Tensor:
        return answers[int(given["condition"]), step - start]

    drawing = Drawing(noise, condition, negative, guidance, latent, start)
    units = units_of(sampler)[start:]
    found = [state.double() * unit for state, unit in zip(loop.steps(answer, drawing), units, strict=True)]
    given, without = answers.double() * OUTPUT_SCALE
    outputs = list(without + guidance / UNGUIDED * (given - without))
    drawn = torch.stack([noise[int(number)] for number in loop.noise_of[start:]]).double() / 4096
    first = noise[:1].double() / 4096
    if latent is None:
        first = first * sampler.noise
    else:
        a, b = sampler.starts[start] or (math.nan, math.nan)
        first = latent.double() / 4096 * a + first * b
    wanted = trajectory(scheduler, start, first, outputs, drawn.reshape(calls, *SHAPE))
    worst = max(float((x - y.double()).abs().max()) for x, y in zip(found, wanted, strict=True))
    return worst / max(float(state.abs().max()) for state in wanted)


def main() -> None:
    """Prints a row for each scheduler: 25 steps, ten trajectories."""
    print("| scheduler | terms a call | largest error, of the state's range |\n| --- | --- | --- |")
    for name in SERVED:
        _, _, loop = made(name, 25)
        worst = max(error_of(name, 25, seed) for seed in range(10))
        print(f"| {name} | {loop.terms} | {worst:.1e} |")


if __name__ == "__main__":
    main()
