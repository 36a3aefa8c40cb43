"""Boxes for pipelines that draw things where they are told to."""

from __future__ import annotations

from typing import Any

import torch

MOST = 3
"""Boxes of a picture; users draw one to four."""
LEAST_SIDE = 0.2


def boxes_of(prompt: str, seed: int) -> dict[str, Any]:
    """What GLIGEN's pipelines are called with: some words of the prompt, each somewhere in the picture.

    Boxes are (left, top, right, bottom), 0 to 1.
    """
    generator = torch.Generator().manual_seed(seed)
    words = prompt.split() or ["object"]
    count = 1 + seed % min(MOST, len(words))
    chosen = torch.randperm(len(words), generator=generator)[:count].tolist()
    corners = torch.rand(count, 2, generator=generator) * (1 - LEAST_SIDE)
    sides = LEAST_SIDE + torch.rand(count, 2, generator=generator) * (1 - LEAST_SIDE - corners)
    boxes = torch.cat([corners, corners + sides], dim=1).clamp(max=1).tolist()
    return {"gligen_phrases": [words[one] for one in chosen], "gligen_boxes": boxes}
