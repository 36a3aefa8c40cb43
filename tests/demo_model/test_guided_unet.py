"""The example of a module that is no diffusers class: the same network as diffusers' own."""

from __future__ import annotations

import pytest
import torch
from guided.model import GuidedConfig, GuidedUNet
from guided.to_diffusers import to_diffusers


@pytest.mark.parametrize(
    "config",
    [
        GuidedConfig(channels=(8, 16), blocks=1, head=8, classes=5, groups=4),
        GuidedConfig(channels=(8, 16), blocks=2, attention=(0, 1), head=4, groups=4, heads_first=True),
    ],
    ids=["classes", "heads first"],
)
def test_it_answers_as_the_network_of_diffusers(config: GuidedConfig) -> None:
    torch.manual_seed(0)
    unet = GuidedUNet(config).eval()
    other = to_diffusers(unet, 8)
    sample, times = torch.randn(2, 3, 8, 8), torch.tensor([30.5, 700.0])
    labels = torch.tensor([1, 3]) if config.classes else None
    with torch.no_grad():
        expected = other(sample, times, class_labels=labels).sample
        torch.testing.assert_close(unet(sample, times, labels), expected, rtol=1e-4, atol=1e-5)
