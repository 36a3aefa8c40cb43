"""The models of other families draw what they are asked for, in float."""

from __future__ import annotations

import pytest
import torch
from digits.recognise import Recogniser
from families.model import Family, draw, load_unet


@pytest.mark.parametrize("family", Family)
def test_digits_are_read(family: Family) -> None:
    labels = torch.arange(10).repeat(4)
    drawn = draw(family, load_unet(family), labels, steps=10, seed=0)[:, 0]
    pictures = ((drawn + 1) * 127.5).round().to(torch.uint8).numpy()
    read = Recogniser().read(pictures)
    assert int((read == labels.numpy()).sum()) >= 38
