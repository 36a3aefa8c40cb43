"""Which tensors hold wide values: 20 bits in four bytes (`ir.ops.wide`)."""

from __future__ import annotations

import torch
from torch import fx


def is_wide(node: fx.Node) -> bool:
    """Whether a node's value is wide, where the op takes 16-bit and wide ones."""
    wide: bool = node.meta["val"].dtype == torch.int32
    return wide
