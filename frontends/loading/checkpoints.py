"""Which weights are meant in a checkpoint that holds more than one thing."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ...ir.errors import DgqcError
from .foreign_weights import foreign_kind
from .pickles import InertLayer, layer_weights

log = logging.getLogger("dgqc")

WRAPPING_KEYS = ("unet", "state_dict", "model_state_dict", "model", "ema")
"""Under which keys training scripts store a UNet in a checkpoint, the preferred first."""
DEEPEST = 8
"""Dictionaries inside one another, before the weights."""


def unwrapped(
    found: Any, path: Path, weights_key: str | None = None
) -> tuple[Mapping[str, Any], dict[str, Any] | None]:
    """The weights in what was unpickled, and the config beside them, if any.

    weights_key: the name under which they stand; None takes the first of WRAPPING_KEYS, and says so in the
        log where there are others.
    Raises DgqcError where there are none.
    """
    config: Any = None
    searched = weights_key
    for _ in range(DEEPEST):
        if not isinstance(found, dict):
            break
        config = found.get("config", config)
        name = _name(found, path, searched)
        if name is None:
            break
        searched = None if name == searched else searched
        found = found[name]
    if searched is not None:
        raise DgqcError(f"{path} holds nothing called {searched}; leave out --weights-key to see its names.")
    if isinstance(found, InertLayer):
        state = found.state if isinstance(found.state, dict) else {}
        inner = state.get("_internal_dict")
        config = {**(inner if isinstance(inner, dict) else {}), "_class_name": type(found).__name__}
        return layer_weights(found, path), config
    if not isinstance(found, dict) or not found:
        raise DgqcError(
            f"{path} holds a {type(found).__name__}, but a UNet or a state dict is needed; save it with "
            "unet.save_pretrained."
        )
    if all(isinstance(value, dict | InertLayer) for value in found.values()):
        if kind := foreign_kind(f"{name}." for name in found):
            raise DgqcError(f"{path} holds {kind}.")
        names = ", ".join(str(name) for name in found)
        raise DgqcError(f"{path} holds {names}; say with --weights-key which of them are the UNet's weights.")
    return found, config if isinstance(config, dict) else None


def _name(found: Mapping[Any, Any], path: Path, wanted: str | None) -> str | None:
    """Under which name to look further; None where this already is a state dict."""
    inside = [name for name, value in found.items() if _could_be_weights(value)]
    if wanted is not None and wanted in inside:
        return wanted
    known = [name for name in WRAPPING_KEYS if name in inside]
    if not known:
        return None
    others = [
        name for name in inside if isinstance(name, str) and name != known[0] and _is_state(found[name])
    ]
    if wanted is None and others and _is_state(found[known[0]]):
        log.warning(
            "%s holds weights called %s; %s is taken, choose another with --weights-key.",
            path,
            ", ".join([known[0], *others]),
            known[0],
        )
    return known[0]


def _could_be_weights(value: Any) -> bool:
    return isinstance(value, dict | InertLayer) and (isinstance(value, InertLayer) or bool(value))


def _is_state(value: Any) -> bool:
    """Whether these may be weights: a layer, or tensors by name."""
    if isinstance(value, InertLayer):
        return True
    return isinstance(value, dict) and any(isinstance(one, torch.Tensor) for one in value.values())
