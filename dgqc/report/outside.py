"""What of a pipeline stays outside a program, and why, by the pipeline's index alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..frontends.parts.decoders import COMPONENT
from ..frontends.parts.text_encoders import TOKENIZERS

CLIP = ("CLIPTextModel", "CLIPTextModelWithProjection")
COMPILED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(TOKENIZERS, CLIP),
    COMPONENT: ("AutoencoderKL", "AutoencoderTiny"),
}
"""Classes of components that have an integer form."""
SCHEDULER = "scheduler"
NO_MODELS = ("unet", "feature_extractor", *TOKENIZERS.values())
"""What is compiled, and what has no weights."""


@dataclass(frozen=True)
class Components:
    """compiled: names of those that are compiled besides the UNet. outside: of others, why they are not."""

    compiled: tuple[str, ...] = ()
    outside: Mapping[str, str] = field(default_factory=dict)


def components(index: Mapping[str, Any]) -> Components:
    """Of a pipeline's model_index.json; of nothing, for a UNet that comes alone."""
    classes = {name: kind[1] for name, kind in index.items() if _is_there(kind)}
    compiled = tuple(name for name, known in COMPILED.items() if classes.get(name) in known)
    outside = {SCHEDULER: "computes in float between calls; dgqc compile --loop own takes it in"}
    for name, kind in classes.items():
        if name in COMPILED and name not in compiled:
            outside[name] = f"a {kind} has no integer form"
        elif name not in (*COMPILED, SCHEDULER, *NO_MODELS):
            outside[name] = f"the pipeline calls this {kind} around the UNet"
    return Components(compiled, outside)


def _is_there(kind: Any) -> bool:
    """An entry of a component: its library and its class; both are null where a pipeline has none."""
    return isinstance(kind, list) and len(kind) == 2 and all(isinstance(one, str) for one in kind)
