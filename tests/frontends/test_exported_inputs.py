"""Whose inputs have other names: guided diffusion's `y`, latent diffusion's `context`."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from dgqc.frontends import ExportedUNet
from dgqc.ir.errors import DgqcError

SAMPLE, TIME = torch.zeros(1, 4, 8, 8), torch.zeros(1)
TOKENS, LABEL, POOLED, PICTURE = torch.zeros(1, 5, 6), torch.tensor([1]), torch.zeros(1, 6), SAMPLE


class Anybody(nn.Module):
    """Adds up what each of its conditions is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.table, self.wide = nn.Conv2d(4, 4, 1), nn.Embedding(7, 4), nn.Linear(6, 4)

    def forward(self, x: torch.Tensor, timesteps: torch.Tensor, c: Any = None, y: Any = None) -> torch.Tensor:
        found: torch.Tensor = self.inside(x) * timesteps
        for one in (c, y):
            if one is not None and one.dim() == 4:
                found = found + one
            elif one is not None:
                wide = self.wide(one) if one.is_floating_point() else self.table(one)
                found = found + wide.reshape(1, -1, 4).mean(1)[..., None, None]
        return found


def exported(*conditions: torch.Tensor) -> ExportedUNet:
    return ExportedUNet(torch.export.export(Anybody().eval(), (SAMPLE, TIME, *conditions)))


@pytest.mark.parametrize(
    ("conditions", "names"),
    [
        ((), []),
        ((LABEL,), ["class_labels"]),
        ((POOLED,), ["class_labels"]),
        ((TOKENS,), ["encoder_hidden_states"]),
        ((TOKENS, LABEL), ["encoder_hidden_states", "class_labels"]),
        ((LABEL, TOKENS), ["encoder_hidden_states", "class_labels"]),
    ],
)
def test_conditions_are_told_by_what_they_hold(conditions: Any, names: list[str]) -> None:
    unet = exported(*conditions)
    assert [one.name for one in unet.inputs] == ["sample", "timestep", *names]
    assert unet.label_count == (7 if any(one is LABEL for one in conditions) else None)


@pytest.mark.parametrize("conditions", [(PICTURE,), (LABEL, POOLED)])
def test_what_is_none_is_refused(conditions: Any) -> None:
    with pytest.raises(DgqcError, match="which are not a UNet's inputs"):
        exported(*conditions)
