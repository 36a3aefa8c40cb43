"""GLIGEN's gates: layers that attend to boxes and phrases, which a pipeline shuts after the first calls.

A program is one for all calls, so whether the gates are open is an input of each call.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from diffusers.models.attention import GatedSelfAttentionDense
from torch import nn

OPEN = "gligen_open"
"""The input: 1 where gates are open, 0 where they are shut, (B, 1)."""


class _Told(nn.Module):
    """Stands where a network of boxes stood, and hands on whether gates are open."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, open: torch.Tensor | None = None, **boxes: torch.Tensor) -> Any:
        """boxes: as the network takes them. Returns tokens (B, N, D), and `open` where it is given."""
        tokens = self.network(**boxes)
        return tokens if open is None else (tokens, open)


class _Gate(nn.Module):
    """Stands where a gated layer stood. What it adds is multiplied by `open`; without that the layer itself
    knows whether it is open, since pipelines find it by its class and shut it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, tokens: torch.Tensor, objects: Any) -> torch.Tensor:
        """tokens: (B, N, C). objects: from `_Told`. Returns (B, N, C)."""
        layer: Any = self.layer
        if not isinstance(objects, tuple):
            changed: torch.Tensor = layer(tokens, objects)
            return changed
        objects, opened = objects
        factor = opened.reshape(-1, 1, 1)
        both = torch.cat([tokens, layer.linear(objects)], dim=1)
        attended = layer.attn(layer.norm1(both))[:, : tokens.shape[1], :]
        tokens = tokens + factor * (layer.alpha_attn.tanh() * attended)
        added: torch.Tensor = factor * (layer.alpha_dense.tanh() * layer.ff(layer.norm2(tokens)))
        return tokens + added


def has_gates(model: nn.Module) -> bool:
    """Whether any layer of the model reads boxes."""
    return any(isinstance(one, GatedSelfAttentionDense) for one in model.modules())


def gates_open(model: nn.Module) -> bool:
    """Whether the model's gates are open now."""
    return any(one.enabled for one in model.modules() if isinstance(one, GatedSelfAttentionDense))


def with_gates(model: nn.Module) -> nn.Module:
    """The model with gates that a call can open and shut; itself where it has none.

    Weights are shared with the model, which is left as it was.
    """
    if not has_gates(model) or isinstance(model.get_submodule("position_net"), _Told):
        return model
    copied = _copied(model)
    copied.position_net = _Told(copied.position_net)  # type: ignore[arg-type]
    return copied


def _copied(module: nn.Module) -> nn.Module:
    """A module with gates in the places of its gated layers; parts without any are shared."""
    if isinstance(module, GatedSelfAttentionDense):
        return _Gate(module)
    if not has_gates(module):
        return module
    found = copy.copy(module)
    found._modules = {name: one and _copied(one) for name, one in module._modules.items()}
    return found
