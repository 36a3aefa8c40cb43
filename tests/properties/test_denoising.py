"""The integer denoising loop against diffusers' own DDIM in floating point."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dgqc.compiler.denoising import tabulate
from dgqc.frontends.samplers import sampler_for
from dgqc.frontends.schedules import schedule_for
from dgqc.ir.denoising import STATE_BITS, UNCLIPPED, DenoisingLoop
from dgqc.ir.errors import DgqcError

SAMPLE_SCALE, OUTPUT_SCALE = 1.6e-4, 1.5e-4

CONFIGS: dict[str, dict[str, Any]] = {
    "stable diffusion": {
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "clip_sample": False,
        "set_alpha_to_one": False,
        "steps_offset": 1,
    },
    "clipped": {"clip_sample": True, "clip_sample_range": 1.5},
    "clipped pictures from pure noise": {
        "prediction_type": "sample",
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
    },
    "velocity": {
        "prediction_type": "v_prediction",
        "clip_sample": False,
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
    },
    "velocity, clipped": {"prediction_type": "v_prediction", "timestep_spacing": "linspace"},
    "pictures": {"prediction_type": "sample", "clip_sample": False},
}


def made(config: dict[str, Any], steps: int) -> tuple[Any, DenoisingLoop]:
    """diffusers' scheduler and the loop for it."""
    config = {**config, "_class_name": "DDIMScheduler"}
    scheduler, schedule = schedule_for(config, steps)
    scales = (torch.full((steps,), scale, dtype=torch.float64) for scale in (SAMPLE_SCALE, OUTPUT_SCALE))
    return scheduler, tabulate(sampler_for("ddim", config, schedule), *scales)


@pytest.mark.parametrize("name", CONFIGS)
@given(steps=st.integers(1, 30), seed=st.integers(0, 2**31))
def test_every_step_is_diffusers_own(name: str, steps: int, seed: int) -> None:
    """From any state, within 2^-24 for each rounding, what a factor makes of it, and float32's own error."""
    scheduler, loop = made(CONFIGS[name], steps)
    random = torch.Generator().manual_seed(seed)
    for step, timestep in enumerate(scheduler.timesteps):
        state = torch.randn(64, generator=random, dtype=torch.float64).clamp(-4, 4) * 2**STATE_BITS
        state = state.round().to(torch.int32)
        output = (torch.randn(64, generator=random) * 8000).round().clamp(-32768, 32767).to(torch.int16)
        found = loop.update(state, output, step).double() / 2**STATE_BITS
        x, y = state.double() / 2**STATE_BITS, output.double() * OUTPUT_SCALE
        wanted = scheduler.step(y, timestep, x).prev_sample
        assert float((found - wanted).abs().max()) < 2e-6 * (1 + float(wanted.abs().max()))
        codes = loop.sample(state, step).double()
        assert float((codes - (x / SAMPLE_SCALE).clamp(-32768, 32767)).abs().max()) < 0.5001


@pytest.mark.parametrize("name", CONFIGS)
def test_a_whole_drawing(name: str) -> None:
    """With a model that answers every picture in the same simple way, both draw the same."""
    scheduler, loop = made(CONFIGS[name], 12)
    noise = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    coded = (noise.clamp(-2, 2) * 4096).round().to(torch.int16)

    def model(x: torch.Tensor) -> torch.Tensor:
        return 0.8 * x + 0.05

    state = coded.double() / 4096
    for timestep in scheduler.timesteps:
        state = scheduler.step(model(state), timestep, state).prev_sample

    def call(codes: torch.Tensor, step: int) -> torch.Tensor:
        return (
            (model(codes.double() * SAMPLE_SCALE) / OUTPUT_SCALE).round().clamp(-32768, 32767).to(torch.int16)
        )

    found = loop.run(call, coded).double() / 4096
    # 16 bits of sample and output, for which the steps add up; without a clip they may grow.
    assert float((found - state).abs().max()) < 4e-3 * (1 + float(state.abs().max()))


def test_extremes_saturate_and_never_wrap() -> None:
    for name in CONFIGS:
        _, loop = made(CONFIGS[name], 7)
        for step in range(7):
            for x in (-(2**31), 2**31 - 1):
                for y in (-32768, 32767):
                    state = loop.update(torch.tensor([x], dtype=torch.int32), torch.tensor([y]).short(), step)
                    exact = exactly(loop, x, y, step)
                    assert int(state) == exact, (name, step, x, y)


def exactly(loop: DenoisingLoop, x: int, y: int, step: int) -> int:
    """The update in integers of any size."""

    def rounded(value: int, shift: int) -> int:
        return max(-(2**31), min(2**31 - 1, (value + 2 ** (shift - 1)) >> shift))

    t = {name: int(table[step]) for name, table in loop.tables.items()}
    y = rounded(y * t["output_factor"], t["output_shift"])
    clean = rounded(x * t["clean_of_state"] + y * t["clean_of_output"], t["clean_shift"])
    clean = max(-loop.limit, min(loop.limit, clean))
    following = clean * t["next_of_clean"] + x * t["next_of_state"] + y * t["next_of_output"]
    assert abs(following) < 2**62
    return rounded(following, t["next_shift"])


def test_without_a_clip_there_is_one_combination() -> None:
    _, loop = made(CONFIGS["stable diffusion"], 5)
    assert loop.limit == UNCLIPPED
    assert not loop.next_of_clean.any()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"_class_name": "PNDMScheduler"}, "takes a DDIMScheduler, but the pipeline has a PNDMScheduler"),
        ({"thresholding": True}, "can't threshold dynamically"),
        ({"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}, "timestep 999 holds no signal"),
        ({"prediction_type": "flow"}, "prediction_type is 'flow'"),
    ],
)
def test_refuses(config: dict[str, Any], message: str) -> None:
    config = {"_class_name": "DDIMScheduler", **config}
    with pytest.raises(DgqcError, match=message):
        sampler_for("ddim", config, schedule_for(config, 5)[1])


def test_refuses_another_schedule_and_another_name() -> None:
    config: dict[str, Any] = {"_class_name": "DDIMScheduler"}
    schedule = schedule_for({**config, "timestep_spacing": "trailing"}, 5)[1]
    with pytest.raises(DgqcError, match="calls are not those"):
        sampler_for("ddim", config, schedule)
    with pytest.raises(DgqcError, match="no denoising loop 'euler'"):
        sampler_for("euler", config, schedule)
