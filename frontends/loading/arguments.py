"""What diffusers calls a UNet with, and the program's inputs: where each stands among the arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from ...ir.masks import MASKS
from ...ir.program import IDS
from .sample_sizes import for_frames, without_frames

Path = tuple[str, ...]


@dataclass(frozen=True)
class ArgumentPlace:
    """Where an input stands in a call.

    name: the input's. path: the argument, then keys of the dictionaries in it. ranks: how many axes it may
    have, samples first. several: a list stands there, whose tensors are called by the name and their numbers.
    recorded: only a call shows whether a model is given it, and of which size.
    """

    name: str
    path: Path
    ranks: tuple[int, ...]
    several: bool = False
    recorded: bool = False


def _alone(name: str, *ranks: int, recorded: bool = False) -> ArgumentPlace:
    return ArgumentPlace(name, (name,), ranks, recorded=recorded)


def _added(name: str, *ranks: int) -> ArgumentPlace:
    return ArgumentPlace(name, ("added_cond_kwargs", name), ranks)


def _of_boxes(name: str, *ranks: int) -> ArgumentPlace:
    path = ("cross_attention_kwargs", "gligen", name)
    return ArgumentPlace(f"gligen_{name}", path, ranks, recorded=True)


def _list(name: str, path: Path, *ranks: int) -> ArgumentPlace:
    return ArgumentPlace(name, path, ranks, several=True, recorded=True)


PLACES = (
    # Of sounds, pictures, videos.
    _alone("sample", 3, 4, 5),
    _alone("timestep"),
    _alone("encoder_hidden_states", 3),
    _alone("encoder_hidden_states_1", 3, recorded=True),
    _alone("class_labels", 1, 2),
    _alone("controlnet_cond", 4),
    _added("text_embeds", 2),
    _added("time_ids", 2),
    _added("image_embeds", 2),
    _added("hint", 4),
    # A latent upscaler's; the embedding of a guidance scale is settled in weights instead.
    _alone("timestep_cond", 2),
    # A text encoder's, of which there is no other.
    _alone(IDS, 2),
    *(_alone(name, 2, recorded=True) for name in sorted(MASKS, reverse=True)),
    _of_boxes("boxes", 3),
    _of_boxes("masks", 2),
    _of_boxes("positive_embeddings", 3),
    _of_boxes("phrases_masks", 2),
    _of_boxes("image_masks", 2),
    _of_boxes("phrases_embeddings", 3),
    _of_boxes("image_embeddings", 3),
    _of_boxes("open", 2),
    # A list of them is an IP-Adapter's; one is that of a model which is conditioned on pictures.
    _list("image_embeds", ("added_cond_kwargs", "image_embeds"), 3, 4),
    _list("down_residual", ("down_block_additional_residuals",), 4),
    _list("adapter_residual", ("down_intrablock_additional_residuals",), 4),
    ArgumentPlace("mid_residual", ("mid_block_additional_residual",), (4,), recorded=True),
)
"""All that a program may take, in placeholder order."""
OF_THE_LOOP = frozenset({"return_dict", "conditioning_scale", "guess_mode"})
"""Arguments that are no inputs. How strongly a ControlNet counts is applied to its results."""

_BY_PATH = {(place.path, place.several): place for place in PLACES}
_BY_NAME = {place.name: place for place in PLACES if not place.several}
_NUMBERED = {place.name: place for place in PLACES if place.several}
_NUMBERED_NAME = re.compile(rf"({'|'.join(_NUMBERED)})_(\d{{1,3}})", re.ASCII)


def place_of(name: str) -> ArgumentPlace | None:
    """Where an input stands; None for what is no input's name."""
    numbered = _NUMBERED_NAME.fullmatch(name)
    return _NUMBERED[numbered[1]] if numbered else _BY_NAME.get(name)


def named_arguments(arguments: Mapping[str, Any]) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """The tensors in a call's arguments by input, but the timestep; and the arguments that are none.

    Masks become float32, 1 for what is kept. What is None or empty is as good as left out.
    """
    found: dict[str, torch.Tensor] = {}
    unknown: list[str] = []
    for path, value in _leaves(arguments):
        several = isinstance(value, list | tuple)
        # Loops of people's own call modules of their own, which take all inputs by name.
        place = _BY_PATH.get((path, several)) or (None if several or path[1:] else _BY_NAME.get(path[0]))
        if path[0] in OF_THE_LOOP or (place and place.name == "timestep"):
            continue
        if place is None or not all(isinstance(one, torch.Tensor) for one in (value if several else [value])):
            unknown.append(".".join(path))
        elif several:
            found |= {f"{place.name}_{number}": one for number, one in enumerate(value)}
        else:
            found[place.name] = value.to(torch.float32) if place.name in MASKS else value
    return without_frames(found), tuple(unknown)


def call_arguments(inputs: Mapping[str, Any], model: nn.Module | None = None) -> dict[str, Any]:
    """A diffusers UNet's keyword arguments from inputs by name.

    model: is given no context by name where it takes none, though it has a place for one.
    """
    arguments: dict[str, Any] = {}
    if isinstance(model, UNet2DConditionModel):
        arguments["encoder_hidden_states"] = None
    for name in sorted(inputs, key=in_order):
        place = place_of(name)
        *outer, last = place.path if place else (name,)
        around = arguments
        for key in outer:
            around = around.setdefault(key, {})
        if place is not None and place.several:
            # A list of its own for each call: diffusers takes tensors out of it.
            around.setdefault(last, []).append(inputs[name])
        else:
            around[last] = inputs[name]
    if _looks_up_times(model):
        arguments["timestep"] = arguments["timestep"].to(torch.int64)
    return for_frames(model, arguments)


def _looks_up_times(model: nn.Module | None) -> bool:
    """Whether timesteps are rows of a table, which only whole numbers find."""
    return isinstance(getattr(model, "time_proj", None), nn.Embedding)


def in_order(name: str) -> tuple[int, int]:
    """What sorts inputs by their places and numbers; others come first."""
    place, numbered = place_of(name), _NUMBERED_NAME.fullmatch(name)
    return -1 if place is None else PLACES.index(place), int(numbered[2]) if numbered else 0


def _leaves(arguments: Mapping[str, Any], before: Path = ()) -> Iterator[tuple[Path, Any]]:
    for key, value in arguments.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*before, key))
        elif value is not None and not (isinstance(value, Sequence) and not len(value)):
            yield (*before, key), value
