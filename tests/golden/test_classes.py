"""Which channels share a scale: those of a split attention's result, and those of a concatenation's parts."""

from __future__ import annotations

import forms
import torch
from torch import nn

from dgqc.frontends import capture
from dgqc.passes.activations.channel_classes import channel_classes
from dgqc.passes.graph.split_start_token import SplitStartToken

from .graphs import attention, sited


def test_the_sum_of_a_split_attention_has_one_class() -> None:
    program = sited(SplitStartToken().run(attention(crossing=True)))
    found = channel_classes(program.graph.graph, program.plans)
    (mixed,) = (one for node, one in found.items() if node.name == "mixed_mix")
    assert mixed.index.unique().numel() == 1


class MixedPixels(nn.Module):
    """A linear layer of pixels in a row, whose result stands beside the image."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(64, 64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.mix(x.flatten(2)).reshape(1, 8, 8, 8), x], dim=1)


def test_parts_may_differ_along_other_axes_than_the_one_they_are_joined_at() -> None:
    program = sited(capture(forms.exported(MixedPixels())))
    (joined,) = [node for node in program.graph.graph.nodes if node.target is torch.ops.aten.cat.default]
    found = channel_classes(program.graph.graph, program.plans)[joined]
    assert tuple(found.index.shape) == tuple(found.part.shape) == (1, 16, 8, 8)
    mixed, image = found.index[0, :8], found.index[0, 8:]
    assert all(torch.equal(one, mixed[0]) for one in mixed)
    assert mixed[0].unique().numel() == 64
    assert all(one.unique().numel() == 1 for one in image)
    assert image.unique().numel() == 8
    assert found.along(1, 16) is None
