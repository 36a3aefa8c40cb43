"""PyTorch as diffusers runs it: eager, in the layout that it comes in; and what exporters start from."""

from __future__ import annotations

from typing import Any

import torch

from .contenders import Contender
from .subject import Call, Subject


class Plain(torch.nn.Module):
    """A diffusers UNet with tensors in and one tensor out, as exporters want it."""

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.unet = unet

    def forward(
        self, sample: torch.Tensor, timestep: torch.Tensor, encoder_hidden_states: torch.Tensor
    ) -> torch.Tensor:
        """sample (1, C, H, W), timestep (1,), encoder_hidden_states (1, N, D). Returns (1, C, H, W)."""
        result: torch.Tensor = self.unet(sample, timestep, encoder_hidden_states, return_dict=False)[0]
        return result


def model_with_arguments(subject: Subject) -> tuple[Plain, tuple[torch.Tensor, ...]]:
    """The float32 UNet, and what it is called with."""
    return Plain(subject.load()).eval(), tuple(map(torch.from_numpy, subject.arguments().values()))


def make(subject: Subject, contender: Contender) -> dict[str, Any]:
    """The model is there already; its bytes are those of its parameters."""
    bits = torch.finfo(getattr(torch, contender.rest)).bits
    return {"bytes": sum(value.numel() for value in subject.load().parameters()) * bits // 8}


def load(subject: Subject, contender: Contender, threads: int) -> Call:
    torch.set_num_threads(threads)
    precision = getattr(torch, contender.rest)
    unet, given = model_with_arguments(subject)
    unet = unet.to(precision)
    arguments = [value.to(precision) for value in given]

    def call() -> torch.Tensor:
        with torch.no_grad():
            result: torch.Tensor = unet(*arguments).float()
        return result

    return call
