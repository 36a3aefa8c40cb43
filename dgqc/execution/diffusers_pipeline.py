"""A whole pipeline with integer parts in place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from diffusers import DiffusionPipeline

from ..frontends.loading.pipelines import load_pipeline
from ..frontends.parts.decoders import COMPONENT, DECODER
from ..frontends.parts.text_encoders import TOKENIZERS, taken_states
from .diffusers_parts import CompiledDecoder, CompiledTextEncoder
from .diffusers_unet import CompiledUNet, Runnable


class RunnablePipeline(Runnable, Protocol):
    """A `CompiledProgram`, or what has parts as it has."""

    @property
    def parts(self) -> Mapping[str, Runnable]:
        """Programs beside the UNet's, by name."""


def integer_pipeline(
    program: RunnablePipeline,
    pipeline: str | Path | DiffusionPipeline,
    *,
    backend: str | None = None,
    **options: Any,
) -> Any:
    """The pipeline with the program's parts in the places of its own; others stay as they are.

    pipeline: what was compiled, or its folder. A pipeline that is given is changed. backend: as in
    `CompiledProgram.run`. options: of `CompiledUNet`.
    Raises DgqcError for a pipeline that can't be loaded, or whose UNet is another.
    """
    found: Any = load_pipeline(Path(pipeline)) if isinstance(pipeline, str | Path) else pipeline
    taken = {name: taken_states(found, name) for name in TOKENIZERS if name in program.parts}
    for name, states in taken.items():
        encoder = CompiledTextEncoder(program.parts[name], getattr(found, name), states, backend=backend)
        setattr(found, name, encoder)
    if DECODER in program.parts:
        decoder = CompiledDecoder(program.parts[DECODER], getattr(found, COMPONENT), backend=backend)
        setattr(found, COMPONENT, decoder)
    found.unet = CompiledUNet(program, found.unet, backend=backend, **options)
    return found
