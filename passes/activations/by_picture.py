"""Halves of a guided picture are no two samples: how samples differ is told picture by picture."""

from __future__ import annotations

import zlib

import torch

from ...ir.calibration import Calibration, Inputs, samples_in
from ...ir.program import SEEN

Furthest = tuple[torch.Tensor, torch.Tensor]
"""Extremes of two pictures and whose they are, (2, n) each, the furthest first; (1, n) of one picture."""


def pictures_of(inputs: Inputs, guidance: float | None, before: int) -> torch.Tensor:
    """Whose picture each sample is, int64 (B,).

    Where a picture is guided, its noisy state goes through the network with its prompt and without. What
    reads the state alone is the same in both, and says as little of other pictures as one of them. So samples
    that begin with the same state have the same number. guidance: None where nobody knows
    it. before: samples of this call in earlier batches.
    """
    seen = [value for name, value in sorted(inputs.items()) if name in SEEN]
    if (guidance or 1.0) <= 1 or not seen:
        return torch.arange(before, before + samples_in(inputs))
    rows = zip(*(value.detach().contiguous() for value in seen), strict=True)
    return torch.tensor([zlib.crc32(b"".join(one.numpy().tobytes() for one in row)) for row in rows])


def count_pictures(calibration: Calibration, step: int) -> int:
    """Of how many pictures the samples of a call are."""
    found, before = set[int](), 0
    for inputs in calibration.read(step):
        found.update(pictures_of(inputs, calibration.guidance_scale, before).tolist())
        before += samples_in(inputs)
    return len(found)


def furthest(extremes: torch.Tensor, pictures: torch.Tensor, up: bool) -> Furthest:
    """Of each index the extreme that goes furthest, and the furthest of all other pictures.

    extremes: (k, n). pictures: int64 (k, 1) or (k, n). up: whether large values go far.
    """
    pictures = pictures.expand_as(extremes)
    signed = extremes if up else -extremes
    top, place = signed.max(dim=0, keepdim=True)
    owner = pictures.gather(0, place)
    others = signed.masked_fill(pictures == owner, -torch.inf)
    second, place = others.max(dim=0, keepdim=True)
    if bool((pictures == owner).all()):
        return (top if up else -top), owner
    values, owners = torch.cat([top, second]), torch.cat([owner, pictures.gather(0, place)])
    return (values if up else -values), owners
