"""Makes attention come out as a batch of samples and heads, whatever processor a model uses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from diffusers.models.attention_processor import (
    Attention,
    AttnAddedKVProcessor,
    AttnAddedKVProcessor2_0,
    AttnProcessor,
    AttnProcessor2_0,
    SlicedAttnAddedKVProcessor,
    SlicedAttnProcessor,
    XFormersAttnAddedKVProcessor,
    XFormersAttnProcessor,
)
from torch import nn

BATCHED: dict[type[Any], type[Any]] = {
    AttnProcessor: AttnProcessor2_0,
    SlicedAttnProcessor: AttnProcessor2_0,
    XFormersAttnProcessor: AttnProcessor2_0,
    AttnAddedKVProcessor: AttnAddedKVProcessor2_0,
    SlicedAttnAddedKVProcessor: AttnAddedKVProcessor2_0,
    XFormersAttnAddedKVProcessor: AttnAddedKVProcessor2_0,
}
"""Processors that fold heads into the batch, and what computes the same on (B, H, N, d)."""


@contextmanager
def batched_attention(model: nn.Module) -> Iterator[None]:
    """Swaps processors that fold heads into the batch for ones that compute the same on (B, H, N, d).

    The model is as it was afterwards. Processors that are not known to be equivalent stay.
    """
    swapped: list[tuple[Any, object]] = []
    try:
        for module in model.modules():
            if isinstance(module, Attention) and _swappable(module):
                swapped.append((module, module.processor))
                _set_processor(module, BATCHED[type(module.processor)]())
        yield
    finally:
        for module, processor in swapped:
            _set_processor(module, processor)


def _swappable(module: Attention) -> bool:
    """Whether an attention computes the same under diffusers' processor for PyTorch 2, which scales by the
    square root of a head's width whatever the module says, and normalizes queries and keys."""
    if type(module.processor) not in BATCHED:
        return False
    if module.norm_q is not None or module.norm_k is not None:
        return False
    return math.isclose(module.scale, (module.inner_dim // module.heads) ** -0.5)


def _set_processor(module: Any, processor: object) -> None:
    # Attention.set_processor would also move a processor that is a module in or out of the submodules.
    module.processor = processor
