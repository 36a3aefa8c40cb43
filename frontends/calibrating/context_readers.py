"""Whether a model reads a context, and in which directions: those of the layers that read it."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from ..loading.exported_unet import ExportedUNet

READERS = ("to_k", "to_v", "add_k_proj", "add_v_proj")
"""Names of the layers of diffusers' attentions that read a context."""


def listened_to(model: nn.Module, width: int) -> torch.Tensor | None:
    """The sum of W^T W over the layers that read the context, each of them at one weight: float32 (D, D).

    width: D, of a context's token. A text encoder and the model that is trained with it agree on what
    matters; of a model that comes alone its own half is known. None where no such layer is found.
    """
    found = None
    for weight in _weights(model, width):
        one = weight.detach().to("cpu", torch.float32)
        seen = one.T @ one / one.square().sum().clamp_min(torch.finfo(torch.float32).tiny)
        found = seen if found is None else found + seen
    return found


def reads_context(model: nn.Module) -> bool:
    """Whether any layer reads a context; every UNet2DConditionModel is given one."""
    if isinstance(model, ExportedUNet):
        return any(one.name == "encoder_hidden_states" for one in model.inputs)
    return any(getattr(module, "is_cross_attention", False) for module in model.modules())


def _weights(model: nn.Module, width: int) -> Iterator[torch.Tensor]:
    """(N, D) each."""
    if isinstance(model, ExportedUNet):
        yield from model.context_weights
        return
    projection = getattr(model, "encoder_hid_proj", None)
    projection = getattr(projection, "projection_linear", projection)
    if isinstance(projection, nn.Linear):
        yield projection.weight
        return
    for module in model.modules():
        for name in READERS if getattr(module, "is_cross_attention", False) else ():
            layer = getattr(module, name, None)
            if isinstance(layer, nn.Linear) and layer.in_features == width:
                yield layer.weight
