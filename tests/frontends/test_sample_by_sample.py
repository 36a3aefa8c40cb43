"""A large network's samples are computed by themselves, whatever it is called with."""

from __future__ import annotations

from functools import wraps
from typing import Any

import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput
from torch import nn

from dgqc.frontends.calibrating import sample_by_sample as module
from dgqc.frontends.calibrating.drawings import Drawings
from dgqc.frontends.calibrating.pipeline_calls import Settings
from dgqc.frontends.calibrating.sample_by_sample import sample_by_sample

from .tiny_pipelines import PIPELINES


@pytest.fixture(autouse=True)
def all_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGE", 1)


class Network(nn.Module):
    """Sums of whatever it is given, and how many samples it was given at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.seen: list[int] = []

    def forward(
        self,
        sample: torch.Tensor,
        timestep: Any,
        text: torch.Tensor,
        added: dict[str, torch.Tensor] | None = None,
        residuals: tuple[torch.Tensor, ...] = (),
        return_dict: bool = True,
    ) -> Any:
        self.seen.append(len(sample))
        total = sample * float(timestep) + text.mean()
        for one in (*(added or {}).values(), *residuals):
            total = total + one
        return UNet2DConditionOutput(sample=total) if return_dict else (total,)


def arguments(count: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    torch.manual_seed(0)
    rows = torch.randn(5, count, 3)
    shared = torch.randn(1, 3)
    keywords = {"added": {"a": rows[1], "b": shared}, "residuals": (rows[2], rows[3])}
    return (rows[0], torch.tensor(7), rows[4, :, None, :1]), keywords


@pytest.mark.parametrize("return_dict", [True, False])
def test_each_sample_has_its_own_rows(return_dict: bool) -> None:
    network = Network()
    positional, keywords = arguments(4)
    with sample_by_sample(network):
        found = network(*positional, return_dict=return_dict, **keywords)[0]
        assert network.seen == [1, 1, 1, 1]
    network.seen.clear()
    sample, _, text = positional
    for place, row in enumerate(found):
        alone = network(
            sample[place : place + 1],
            7,
            text[place : place + 1],
            {
                name: one[place : place + 1] if len(one) == 4 else one
                for name, one in keywords["added"].items()
            },
            tuple(one[place : place + 1] for one in keywords["residuals"]),
        )
        assert torch.equal(alone.sample[0], row)
    assert network.seen == [1, 1, 1, 1]
    assert "forward" not in vars(network)


def test_calls_that_have_no_row_for_each_sample_stay_whole() -> None:
    network = Network()
    with sample_by_sample(network):
        network(torch.ones(2, 3), 1, torch.ones(6, 1))
    assert network.seen == [2]


def test_small_networks_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGE", 2)
    network = Network()
    with sample_by_sample(network):
        assert "forward" not in vars(network)


@pytest.mark.parametrize("name", PIPELINES)
def test_pictures_are_drawn_as_before(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawings = Drawings(PIPELINES[name](), Settings(4))
    network, seen = drawings.pipeline.unet, []
    original = network.forward

    @wraps(original)
    def forward(sample: torch.Tensor, *others: Any, **named: Any) -> Any:
        seen.append(len(sample))
        return original(sample, *others, **named)

    network.forward = forward
    made = drawings.record(count=3, batch_size=3, seed=1, progress=None, calls=4)
    assert set(seen) == {1}
    assert network.forward is forward
    seen.clear()
    monkeypatch.setattr(module, "LARGE", 10**9)
    whole = drawings.record(count=3, batch_size=3, seed=1, progress=None, calls=4)
    assert set(seen) == {3}
    for (_, _, one), (_, _, other) in zip(made.calls(), whole.calls(), strict=True):
        for key, value in one.items():
            torch.testing.assert_close(value, other[key], atol=1e-3, rtol=1e-3)
