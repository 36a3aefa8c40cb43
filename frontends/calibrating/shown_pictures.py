"""IP-Adapters: a pipeline's UNet is shown pictures as tokens, beside the words of the prompt."""

from __future__ import annotations

from typing import Any

from diffusers.models.embeddings import IPAdapterFaceIDImageProjection

from ...ir.errors import DgqcError
from ..loading.conditionings import picture_projections

FACES = IPAdapterFaceIDImageProjection
"""What reads the embedding of a face, which another network finds in a picture."""
OF_FACES = (
    "IP-Adapter reads embeddings of faces, which the pipeline finds in no picture; give them with "
    "--embeddings FILE (ip_adapter_image_embeds, a row a face)"
)
"""Said of such ones."""


def is_shown_pictures(pipeline: Any) -> bool:
    """Whether the pipeline's UNet has an IP-Adapter, and the pipeline asks for pictures for it."""
    return bool(picture_projections(pipeline.unet))


def wants_pictures(pipeline: Any) -> str:
    """What is to be said to whoever gives the pipeline's IP-Adapters nothing."""
    name = type(pipeline).__name__
    if any(isinstance(one, FACES) for one in picture_projections(pipeline.unet)):
        return f"The {name}'s {OF_FACES}."
    return f"The {name}'s IP-Adapter is shown pictures; give a folder of some with --pictures."


def shown(pipeline: Any, picture: Any) -> dict[str, Any]:
    """What the pipeline is called with for one picture: each of its IP-Adapters sees it.

    Raises DgqcError where the pipeline can't make tokens of a picture.
    """
    projections = picture_projections(pipeline.unet)
    name = type(pipeline).__name__
    if any(isinstance(one, FACES) for one in projections):
        raise DgqcError(f"The {name}'s {OF_FACES}, and leave --pictures out.")
    if getattr(pipeline, "image_encoder", None) is None:
        raise DgqcError(
            f"The {name} has an IP-Adapter, but no image encoder, which reads the pictures for it; load the "
            "adapter with its image_encoder folder."
        )
    return {"ip_adapter_image": [picture] * len(projections)}
