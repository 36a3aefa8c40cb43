"""What conditions the float model's output conditions the program's: as much, in the same direction."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

import dgqc

sys.path.insert(0, str(Path(__file__).parent.parent))

import architectures

STEPS = 3


def refiner() -> architectures.UNet:
    """As SDXL's refiner: 1280 numbers of text and five time ids."""
    return architectures._conditional(
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=1280 + 5 * 8,
    )


def small_refiner() -> architectures.UNet:
    """Text of another width: six ids, as SDXL."""
    return architectures._conditional(
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=64 + 6 * 8,
    )


MODELS = {**architectures.ARCHITECTURES, "refiner": refiner, "small_refiner": small_refiner}


def changed(name: str, value: torch.Tensor) -> torch.Tensor:
    if name == "class_labels":
        return (value + 3) % 10
    if name == "time_ids":
        return value + torch.arange(1, value.shape[1] + 1)
    return value + 0.7 * torch.randn(value.shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_every_condition_counts(name: str) -> None:
    unet = MODELS[name]()
    inputs = architectures.example_inputs(unet)
    if name == "refiner":
        inputs["text_embeds"], inputs["time_ids"] = torch.randn(1, 1280), inputs["time_ids"][:, :5]
    options = {"steps": STEPS, "samples": 2, "context_length": architectures.CONTEXT_LENGTH}
    program = dgqc.compile(unet, "naive-w8a8", check=False, **options)
    assert {one.name for one in program.provenance.inputs} == set(inputs)
    # The second call still gets samples as loud as the first; at the last one these would be clipped.
    first, second, *_ = program.program.schedule.timesteps

    def difference(other: dict[str, torch.Tensor], timestep: float) -> tuple[torch.Tensor, torch.Tensor]:
        floats = architectures.run_model(unet, other, timestep) - architectures.run_model(unet, inputs, first)
        whole = program.answer(other, timestep, backend="reference")
        return floats, whole - program.answer(inputs, first, backend="reference")

    changes = {key: ({**inputs, key: changed(key, value)}, first) for key, value in inputs.items()}
    for what, (other, timestep) in {**changes, "timestep": (inputs, second)}.items():
        wanted, found = (part.flatten().double() for part in difference(other, timestep))
        assert wanted.norm() > 0, what
        along = float(wanted @ found / wanted.square().sum())
        # Of a small random model a timestep changes 9 %, and eight bits are wrong by as much.
        assert 0.3 < along < 1.7, f"{what}: {along}"
