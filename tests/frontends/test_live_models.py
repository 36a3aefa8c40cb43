"""Modules that are handed over in Python are looked at before anything is captured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from dgqc.frontends.loading.live_models import check_live
from dgqc.ir.errors import DgqcError

from .conftest import tiny_unet


def free_u(unet: Any) -> None:
    unet.enable_freeu(s1=0.9, s2=0.2, b1=1.2, b2=1.4)


def adapter(unet: Any) -> None:
    unet.conv_in.lora_A = nn.Linear(2, 2)


def not_finite(unet: Any) -> None:
    with torch.no_grad():
        unet.conv_in.bias[0] = float("inf")


def integers(unet: Any) -> None:
    weight = unet.conv_in.weight.detach().to(torch.int8)
    unet.conv_in.weight = nn.Parameter(weight, requires_grad=False)


CHANGES: dict[str, Callable[[Any], Any]] = {
    "is on the meta device, without values": lambda unet: unet.to("meta"),
    "has FreeU enabled.*disable_freeu": free_u,
    "has an adapter beside its weights.*fuse": adapter,
    r"conv_in\.bias holds NaN or infinite": not_finite,
    r"conv_in\.weight is of type int8": integers,
}


@pytest.mark.parametrize("message", CHANGES)
def test_models_that_are_not_themselves(message: str) -> None:
    unet = tiny_unet()
    check_live(unet)
    CHANGES[message](unet)
    with pytest.raises(DgqcError, match=message):
        check_live(unet)
