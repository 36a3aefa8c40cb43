"""Inputs that say which tokens of others count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

from .calibration import Inputs

MASKED = {
    "encoder_hidden_states": "encoder_attention_mask",
    "encoder_hidden_states_1": "encoder_attention_mask_1",
}
"""Inputs of tokens, (B, tokens, D), and their masks, (B, tokens)."""
MASKS = frozenset({"attention_mask", *MASKED.values()})
"""Inputs that hold zeros and ones: 1 where a token is attended to."""


def masked_lengths(several: Iterable[Inputs]) -> dict[str, int]:
    """How many tokens the longest of each masked input has."""
    found: dict[str, int] = {}
    for inputs in several:
        for name in _masked(inputs):
            found[name] = max(found.get(name, 0), inputs[name].shape[1])
    return found


def as_long(inputs: Inputs, lengths: Mapping[str, int]) -> dict[str, torch.Tensor]:
    """The inputs with masked ones made so long, by tokens that their masks hide: they change nothing.

    Text encoders give as many tokens as a prompt has, where a mask says so; a program has one length.
    Inputs that are longer stay as they are.
    """
    found = dict(inputs)
    for name in _masked(inputs):
        for one, axes in ((name, 1), (MASKED[name], 0)):
            missing = max(0, lengths.get(name, 0) - inputs[one].shape[1])
            if missing:
                found[one] = torch.nn.functional.pad(inputs[one], (0, 0) * axes + (0, missing))
    return found


def _masked(inputs: Inputs) -> list[str]:
    return [name for name, mask in MASKED.items() if name in inputs and mask in inputs]
