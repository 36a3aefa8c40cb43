"""Large networks that draw for calibration: the samples of a call side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ...ir.devices import CPU, device_here
from ...ir.parallel import side_by_side

LARGE = 10**8
"""Weights from which on a call's samples are computed apart; of a smaller network they cost less together."""


@contextmanager
def sample_by_sample(network: nn.Module) -> Iterator[None]:
    """A large network computes each sample of a call by itself for a while, as many at a time as there are
    processors.

    Each has one thread, so that its numbers are the same on any machine. A call whose arguments aren't all of
    its samples, or of none of them, stays whole; so does any on an accelerator.
    """
    if not is_large(network) or device_here() != CPU:
        yield
        return
    whole, own = network.forward, vars(network).get("forward")

    def forward(*arguments: Any, **keywords: Any) -> Any:
        count = len(next(given for given in (*arguments, *keywords.values()) if _batched(given)))
        if count == 1 or not _divides((arguments, keywords), count):
            return whole(*arguments, **keywords)

        def of_sample(place: int) -> Any:
            given, named = _part((arguments, keywords), count, place)
            return whole(*given, **named)

        return _joined(list(side_by_side(of_sample, range(count))))

    network.forward = forward
    try:
        yield
    finally:
        del network.forward
        if own is not None:
            network.forward = own


def is_large(network: nn.Module) -> bool:
    """Whether a picture takes minutes."""
    return sum(weight.numel() for weight in network.parameters()) >= LARGE


def _batched(given: Any) -> bool:
    return isinstance(given, torch.Tensor) and given.dim() > 0


def _divides(given: Any, count: int) -> bool:
    """Whether every tensor in it has a row for each sample, or one for all."""
    if isinstance(given, dict):
        return all(_divides(one, count) for one in given.values())
    if isinstance(given, list | tuple):
        return all(_divides(one, count) for one in given)
    return not _batched(given) or len(given) in (1, count)


def _part(given: Any, count: int, place: int) -> Any:
    """What belongs to one sample."""
    if isinstance(given, dict):
        return {name: _part(one, count, place) for name, one in given.items()}
    if isinstance(given, list | tuple):
        return type(given)(_part(one, count, place) for one in given)
    return given[place : place + 1] if _batched(given) and len(given) == count else given


def _joined(parts: list[Any]) -> Any:
    """Results of a call's samples as one: tensors, and tuples and diffusers' outputs of them."""
    first = parts[0]
    if isinstance(first, dict):
        return type(first)(**{name: _joined([part[name] for part in parts]) for name in first})
    if isinstance(first, tuple):
        return tuple(_joined(list(each)) for each in zip(*parts, strict=True))
    return torch.cat(parts) if isinstance(first, torch.Tensor) else first
