"""Keys of a UNet's config that let something condition its output, and which of them dgqc has inputs for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from diffusers.models.embeddings import IPAdapterFaceIDPlusImageProjection, MultiIPAdapterImageProjection
from torch import nn

from ...ir.errors import DgqcError, UnsupportedOperation
from .gates import OPEN

KNOWN: Mapping[str, tuple[str | None, ...]] = {
    "addition_embed_type": (None, "time", "text_time", "text", "image", "text_image", "image_hint"),
    "encoder_hid_dim_type": (None, "text_proj", "image_proj", "text_image_proj", "ip_image_proj"),
    "attention_type": (None, "default", "gated", "gated-text-image"),
}
"""By key, the values that stand for inputs of `model_inputs`, or for none."""


CONTROLS: Mapping[str, str] = {"ControlNetModel": "controlnet", "T2IAdapter": "adapter"}
"""Networks that steer a UNet, and what a pipeline calls its own."""


def of_calls(kind: str) -> str:
    """What is said of a control network that comes without its calls. kind: its class."""
    return (
        f"A {kind} is compiled for the calls that its pipeline makes; record them with `dgqc calibrate "
        f"PIPELINE --part {CONTROLS[kind]} -o FILE`, and give them with --calib FILE."
    )


def picture_projections(model: nn.Module) -> Sequence[nn.Module]:
    """What makes tokens of pictures, of each of the model's IP-Adapters; none where it has none."""
    projection = getattr(model, "encoder_hid_proj", None)
    if not isinstance(projection, MultiIPAdapterImageProjection):
        return ()
    return tuple(projection.image_projection_layers)


FACE_AND_PICTURE = (
    "is an IP-Adapter FaceID Plus, which is shown a picture behind the UNet's back (clip_embeds of its "
    "projection), so that no program could be given another one; give a FaceID without Plus, or an "
    "IP-Adapter Plus Face"
)
"""Said of such an adapter."""


def refuse_hidden_pictures(model: nn.Module) -> None:
    """Raises DgqcError for an IP-Adapter that is shown pictures which are no argument of a call."""
    if any(isinstance(one, IPAdapterFaceIDPlusImageProjection) for one in picture_projections(model)):
        raise DgqcError(f"The UNet's adapter {FACE_AND_PICTURE}.")


def refuse_unshown(model: nn.Module, names: Collection[str]) -> None:
    """Raises UnsupportedOperation for an IP-Adapter, or gated layers, that no call shows anything given to.

    names: of the inputs that are known.
    """
    refuse_hidden_pictures(model)
    if picture_projections(model) and "image_embeds_0" not in names:
        raise UnsupportedOperation(
            "The UNet has an IP-Adapter, and nothing says which pictures it is shown; compile its pipeline "
            "with --pictures, or record samples with `dgqc calibrate`."
        )
    # Without boxes GLIGEN's gated layers would only pass by.
    if str(getattr(model, "config", {}).get("attention_type")).startswith("gated") and OPEN not in names:
        raise UnsupportedOperation(
            "The UNet has GLIGEN's gated layers, and nothing says which boxes they are given; compile it "
            "with samples from `dgqc calibrate PIPELINE`."
        )


def refuse_unknown(config: Mapping[str, Any]) -> None:
    """Raises UnsupportedOperation for a conditioning that has no input here."""
    for key, values in KNOWN.items():
        if config.get(key) not in values:
            allowed = " or ".join(repr(value) for value in values)
            raise UnsupportedOperation(
                f"The model's config has {key}={config[key]!r}, a conditioning that dgqc has no input for; "
                f"it compiles UNets with {key}={allowed}."
            )
