"""Values on their way to where float work is computed."""

from __future__ import annotations

import torch

from .devices import device_here
from .storage.mapped import let_go


def moved(tensor: torch.Tensor) -> torch.Tensor:
    """The same values, where float work is computed; a weight in a mapped file is let go by then."""
    found = tensor.to(device_here())
    if found is not tensor:
        let_go(tensor)
    return found
