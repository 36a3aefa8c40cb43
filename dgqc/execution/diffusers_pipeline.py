"""A whole pipeline with integer parts in place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from diffusers import DiffusionPipeline

from ..frontends.loading.pipelines import load_pipeline
from ..frontends.parts.decoders import COMPONENT, DECODER
from ..frontends.parts.text_encoders import TOKENIZERS, taken_states
from ..ir.errors import DgqcError
from ..ir.typed import typed
from .diffusers_parts import CompiledDecoder, CompiledTextEncoder
from .diffusers_unet import CompiledUNet, Runnable


class RunnablePipeline(Runnable, Protocol):
    """A `CompiledProgram`, or what has parts as it has."""

    @property
    def parts(self) -> Mapping[str, Runnable]:
        """Programs beside the UNet's, by name."""


@typed
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
    Raises DgqcError for a pipeline that can't be loaded, or whose UNet is another, and for a backend that
    can't run here.
    """
    found: Any = load_pipeline(Path(pipeline)) if isinstance(pipeline, str | Path) else pipeline
    others = {name: name for name in TOKENIZERS} | {DECODER: COMPONENT}
    places = {name: place for name, place in others.items() if name in program.parts}
    for place in ("unet", *places.values()):
        if getattr(found, place, None) is None:
            raise DgqcError(
                f"The {type(found).__name__} has no {place}, for which the program has integers; give the "
                "pipeline that was compiled."
            )
    # All of them, before the first takes its place: a pipeline is changed whole or not at all.
    ready = {place: _stand_in(program, found, name, place, backend) for name, place in places.items()}
    ready["unet"] = CompiledUNet(program, found.unet, backend=backend, **options)
    for place, part in ready.items():
        setattr(found, place, part)
    return found


def _stand_in(
    program: RunnablePipeline, pipeline: Any, name: str, place: str, backend: str | None
) -> CompiledTextEncoder | CompiledDecoder:
    """A part's program for the pipeline's own part, or for what stands in for that already."""
    part, original = program.parts[name], getattr(pipeline, place)
    if name == DECODER:
        return CompiledDecoder(part, original, backend=backend)
    taken = original.taken if isinstance(original, CompiledTextEncoder) else taken_states(pipeline, name)
    return CompiledTextEncoder(part, original, taken, backend=backend)
