"""Captures that are kept while tests run: the same model isn't traced again.

Tracing takes a third of compiling a small model, and a hundred tests compile the same one to look at what
happens around it. What is kept is known by everything that a model holds, weights and hooks included, as
pickle sees it; a model that can't be pickled is traced each time.
"""

from __future__ import annotations

import copy
import hashlib
import io
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from dgqc.ir.program import Program
from dgqc.ir.schedule import Schedule


class _Pickler(pickle.Pickler):
    """Tensors by their values: where they lie differs each time."""

    def persistent_id(self, item: object) -> object:
        if not isinstance(item, torch.Tensor):
            return None
        if item.is_meta:
            return item.dtype, item.shape
        whole = item.detach().contiguous().view(-1).view(torch.uint8).numpy()
        return item.dtype, item.shape, item.requires_grad, hashlib.sha256(whole).hexdigest()


def key_of(*items: object) -> bytes | None:
    """What differs where items do; None where that can't be told."""
    file = io.BytesIO()
    try:
        _Pickler(file).dump(items)
    except (pickle.PicklingError, AttributeError, TypeError):
        return None
    return hashlib.sha256(file.getvalue()).digest()


def keeping(capture: Callable[..., Program]) -> Callable[..., Program]:
    """`capture`, which hands out copies of what it has captured once.

    The first one, too: copied weights begin elsewhere in memory than those of a file, with that the last bits
    of float sums differ, and what a test sees in a cache would depend on which test came first.
    """
    kept: dict[bytes, Program] = {}

    def captured(model: nn.Module, *, schedule: Schedule, refused: list[Any], **options: Any) -> Program:
        key = key_of(model, options)
        if key not in kept:
            program = capture(model, schedule=schedule, refused=refused, **options)
            if key is None or refused:
                return program
            kept[key] = program
        return replace(copy.deepcopy(kept[key]), schedule=schedule)  # passes own the graph

    return captured
