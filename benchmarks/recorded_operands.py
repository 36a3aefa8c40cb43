"""What the float UNet multiplies at a call: inputs of its layers; queries, keys, values and probabilities."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from torch import nn

from dgqc.frontends.loading.arguments import call_arguments
from dgqc.ir.calibration import Inputs

Batches = dict[str, list[torch.Tensor]]
"""By the layer's or attention's path: a tensor for each batch."""


@dataclass(frozen=True)
class Recorded:
    """layers: what each linear (B, rows, channels) and convolution (B, C, H, W) gets; time embeddings, which
    are (B, channels), aren't kept. queries, keys, values: (B, heads, tokens, features). probabilities:
    (B, heads, queries, keys).
    """

    layers: Batches = field(default_factory=lambda: defaultdict(list))
    queries: Batches = field(default_factory=lambda: defaultdict(list))
    keys: Batches = field(default_factory=lambda: defaultdict(list))
    values: Batches = field(default_factory=lambda: defaultdict(list))
    probabilities: Batches = field(default_factory=lambda: defaultdict(list))


def record(unet: Any, batches: Iterable[Inputs], timestep: int) -> Recorded:
    """Runs a diffusers UNet on a call's batches, its attentions written out."""
    found = Recorded()

    def keep(name: str) -> Any:
        def hook(module: nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
            if arguments[0].dim() > 2:
                found.layers[name].append(arguments[0].detach().clone())

        return hook

    modules = dict(unet.named_modules())
    kinds = nn.Linear | nn.Conv2d
    handles = [m.register_forward_pre_hook(keep(name)) for name, m in modules.items() if isinstance(m, kinds)]
    for name, module in modules.items():
        if isinstance(module, Attention):
            module.set_processor(_Processor(name, found))
    with torch.no_grad():
        for inputs in batches:
            unet(**call_arguments(inputs), timestep=timestep, return_dict=False)
    for handle in handles:
        handle.remove()
    return found


@dataclass
class _Processor:
    """softmax(q k^T / sqrt(d)) v as papers write it, for attentions without masks or norms of their own."""

    name: str
    found: Recorded

    def __call__(
        self, attention: Any, states: torch.Tensor, encoder_hidden_states: Any = None, **_: Any
    ) -> torch.Tensor:
        context = states if encoder_hidden_states is None else encoder_hidden_states
        q, k, v = (
            layer(x).unflatten(-1, (attention.heads, -1)).transpose(1, 2)
            for layer, x in ((attention.to_q, states), (attention.to_k, context), (attention.to_v, context))
        )
        p = torch.softmax(attention.scale * q @ k.transpose(-1, -2), dim=-1)
        recorded = self.found.queries, self.found.keys, self.found.values, self.found.probabilities
        for where, x in zip(recorded, (q, k, v, p), strict=True):
            where[self.name].append(x)
        y: torch.Tensor = attention.to_out[0]((p @ v).transpose(1, 2).flatten(2))
        return y
