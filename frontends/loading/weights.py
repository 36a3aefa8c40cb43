"""Builds a UNet from a config and its weights, and checks that they belong together."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from typing import Any

import diffusers
import torch
from torch import nn

from ...ir.errors import DgqcError, one_line
from ...ir.reading import explained
from ...ir.storage.mapped import in_file, let_go
from ...ir.tensors import all_finite
from .quantized_weights import dequantized
from .unet_config import CLASSES as NAMES
from .unet_config import checked_config

log = logging.getLogger("dgqc")

CLASSES: dict[str, Any] = {name: getattr(diffusers, name) for name in NAMES}
"""Model classes by the name that stands in a config."""

MOST_ELEMENTS = 2 * 10**10
"""Weights of a model; SDXL's UNet has 2.6 billion."""

PREFIXES = ("module.", "_orig_mod.", "unet.", "model.")
"""What wrappers put before every key of a state dict."""

OLD_ATTENTION = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
"""What attention layers were called before diffusers 0.15."""


def empty_unet(config: Mapping[str, Any], source: str) -> nn.Module:
    """A UNet on the meta device: shapes without weights.

    config: a diffusers config with its `_class_name`.
    Raises DgqcError when it describes something else or can't be built.
    """
    plain = checked_config(config, source)
    name = plain["_class_name"]
    # Diffusers' constructors raise whatever a wrong value leads to.
    doing = f"diffusers can't build a {name} from {source}"
    with explained(doing, "give the config that it was saved with"), torch.device("meta"):
        model: nn.Module = CLASSES[name].from_config(plain)
    elements = sum(parameter.numel() for parameter in model.parameters())
    if elements > MOST_ELEMENTS:
        raise DgqcError(f"{source} describes a UNet of {elements} weights, which is more than any has.")
    return model.eval()


def tell_ignored(config: Mapping[str, Any], source: str) -> None:
    """Says which keys of a config diffusers ignores: another version's, or a misspelt one."""
    kind = config.get("_class_name")
    if not isinstance(kind, str) or kind not in CLASSES:
        return
    known = inspect.signature(CLASSES[kind].__init__).parameters
    about_weights = {"quantization_config"}  # of the file beside it, whose own words count
    others = {key for key in config if not key.startswith("_")} - about_weights
    if unknown := sorted(others - {*known}):
        log.warning(
            "%s has %s, which diffusers doesn't know and leaves out.", source, one_line(", ".join(unknown))
        )


def build_unet(config: Mapping[str, Any], weights: Mapping[str, Any], source: str) -> nn.Module:
    """A UNet in evaluation mode with float32 weights.

    weights: a state dict in any floating type.
    source: what the messages call the file.
    Raises DgqcError for missing, unexpected, misshapen or not finite weights, naming the first.
    """
    model = empty_unet(config, source)
    expected = model.state_dict()
    matched = _matched(dequantized(weights, source), expected, source)
    for name, tensor in expected.items():
        if fault := not_plain(matched[name]):
            raise DgqcError(f"{source}: the weight {name} is {fault}; save the UNet's float weights.")
        if matched[name].shape != tensor.shape:
            raise DgqcError(
                f"{source}: {name} has shape {tuple(matched[name].shape)}, but the config's UNet has "
                f"{tuple(tensor.shape)} there; give the config that belongs to these weights."
            )
    # Taken out one by one, so that at most one weight exists in two types.
    for name in expected:
        given = matched[name]
        found = finite_float(name, given, source)
        # What had to be converted lies in a file of its own, as what needn't be lies in the model's.
        matched[name] = found if found.dtype == given.dtype else in_file(found)
        let_go(matched[name], given)
    model.load_state_dict(matched, strict=True, assign=True)
    left = [name for name, tensor in [*model.named_parameters(), *model.named_buffers()] if tensor.is_meta]
    if left:
        raise DgqcError(
            f"{source}: the UNet's buffer {left[0]} is not stored with the weights, so it is unknown."
        )
    return model.requires_grad_(False).eval()


def _matched(weights: Mapping[str, Any], expected: Mapping[str, Any], source: str) -> dict[str, torch.Tensor]:
    """The weights under the names that the model has for them."""
    found: dict[str, torch.Tensor] = {}
    for key, value in weights.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise DgqcError(
                f"{source}: {one_line(repr(key), 100)} is a {type(value).__name__}, not a weight; give a "
                "state dict of tensors."
            )
        found[key] = value
    if adapter := next((key for key in found if ".lora_" in key or ".base_layer." in key), None):
        raise DgqcError(
            f"{source} holds an adapter beside the weights ({adapter}); fuse it with pipe.fuse_lora() and "
            "pipe.unload_lora_weights(), or merge_and_unload() of peft, and save again."
        )
    for prefix in PREFIXES:
        if found and all(key.startswith(prefix) for key in found):
            found = {key.removeprefix(prefix): value for key, value in found.items()}
    for key in [key for key in found if key not in expected]:
        renamed = key
        for old, new in OLD_ATTENTION.items():
            renamed = renamed.replace(old, new)
        if renamed in expected and renamed not in found:
            found[renamed] = found.pop(key)
    for kind, names in (
        ("lacks", expected.keys() - found.keys()),
        ("has no place for", found.keys() - expected.keys()),
    ):
        if names:
            subject = source if kind == "lacks" else f"The config's UNet for {source}"
            raise DgqcError(
                f"{subject} {kind} {min(names)} ({len(names)} such weights); give the config and the weights "
                "of one UNet."
            )
    return found


def finite_float(name: str, tensor: torch.Tensor, source: str) -> torch.Tensor:
    """A weight as float32. Raises DgqcError for one that holds NaN or infinite values."""
    converted = tensor.detach().to(torch.float32).contiguous()
    if not all_finite(converted):
        raise DgqcError(f"{source}: the weight {name} holds NaN or infinite values; give a file without.")
    return converted


def not_plain(tensor: torch.Tensor) -> str | None:
    """What keeps a tensor from being numbers in memory, one for each element."""
    if tensor.is_meta:
        return "on the meta device, without values"
    if tensor.is_nested or tensor.layout is not torch.strided:
        return f"stored as {'nested' if tensor.is_nested else str(tensor.layout).removeprefix('torch.')}"
    if tensor.is_quantized or not tensor.dtype.is_floating_point:
        kind = str(tensor.dtype).removeprefix("torch.")
        return f"of type {kind}, which are no floats, and no scales say what they stand for"
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return f"a view of {tensor.numel()} elements on fewer numbers"
    return None
