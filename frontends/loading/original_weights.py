"""Fills a part of a pipeline with the weights that a checkpoint in one file has for it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from ...ir.errors import DgqcError
from .weights import finite_float, not_plain


def filled(model: nn.Module, weights: Mapping[str, torch.Tensor | None], source: str) -> nn.Module:
    """The model in evaluation mode, in float32.

    weights: by the model's own names, of any float type; None for one that the file has not.
    Raises DgqcError for one that is missing, of another shape, or no finite floats.
    """
    found = dict[str, torch.Tensor]()
    for name, place in model.state_dict().items():
        tensor = weights.get(name)
        if tensor is None or tensor.shape != place.shape:
            what = "is missing" if tensor is None else f"has shape {tuple(tensor.shape)}"
            raise DgqcError(
                f"{source}'s {name} {what}, but {tuple(place.shape)} is needed; give the whole checkpoint."
            )
        if fault := not_plain(tensor):
            raise DgqcError(f"{source}'s {name} is {fault}; give a checkpoint of floats.")
        found[name] = finite_float(name, tensor, source)
    model.load_state_dict(found, assign=True)
    return model.requires_grad_(False).eval()
