"""Names of an adapter's tensors, as training tools give them: of which layer, and what of its change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

LEAVES: Mapping[str, str] = {
    # kohya, LyCORIS
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".lora_mid.weight": "middle",
    ".alpha": "alpha",
    ".dora_scale": "scale",
    ".hada_w1_a": "first_a",
    ".hada_w1_b": "first_b",
    ".hada_w2_a": "second_a",
    ".hada_w2_b": "second_b",
    ".hada_t1": "first_core",
    ".hada_t2": "second_core",
    ".lokr_w1": "first",
    ".lokr_w1_a": "first_a",
    ".lokr_w1_b": "first_b",
    ".lokr_w2": "second",
    ".lokr_w2_a": "second_a",
    ".lokr_w2_b": "second_b",
    ".lokr_t2": "second_core",
    ".diff": "difference",
    ".diff_b": "bias_difference",
    ".w_norm": "difference",
    ".b_norm": "bias_difference",
    # peft
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora_magnitude_vector": "magnitude",
    ".lora_magnitude_vector.weight": "magnitude",
    # diffusers before peft
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    ".lora_linear_layer.down.weight": "down",
    ".lora_linear_layer.up.weight": "up",
    ".lora_conv2d_layer.down.weight": "down",
    ".lora_conv2d_layer.up.weight": "up",
    "_lora.down.weight": "down",
    "_lora.up.weight": "up",
}
"""By the end of a tensor's name, what it is."""
KINDS: Mapping[str, str] = {".hada_": "loha", ".lokr_": "lokr"}
"""Products of another kind than LoRA's, by what stands in the end."""
ADAPTER_NAME = re.compile(r"(\.(?:lora_[AB]|lora_magnitude_vector|hada_\w+|lokr_\w+))\.default\b", re.ASCII)
"""Peft's name of an adapter, where a whole model's state was saved."""

UNET, TEXT, SECOND_TEXT = "unet", "text_encoder", "text_encoder_2"
PARTS: Mapping[str, str] = {
    "lora_unet_": UNET,
    "lycoris_": UNET,
    "lora_te1_": TEXT,
    "lora_te2_": SECOND_TEXT,
    "lora_te_": TEXT,
    "unet.": UNET,
    "text_encoder_2.": SECOND_TEXT,
    "text_encoder.": TEXT,
    "model.diffusion_model.": UNET,
    "diffusion_model.": UNET,
}
"""By the beginning of a name, the part of the pipeline that it belongs to."""
WRAPPER = "base_model.model."
"""What peft puts in front."""


@dataclass(frozen=True)
class Leaf:
    """One tensor of a change.

    part: of the pipeline; None where the name doesn't say. layer: as the file has it, without the part.
    what: `down`, `up` and so on. kind: of product: lora, loha or lokr.
    """

    part: str | None
    layer: str
    what: str
    kind: str = "lora"


def leaf_of(key: str) -> Leaf | None:
    """What a tensor is, by its name. None for a name that no tool gives a part of a change."""
    name = ADAPTER_NAME.sub(r"\1", key).removeprefix(WRAPPER)
    end = max((end for end in LEAVES if name.endswith(end)), key=len, default=None)
    if end is None:
        return None
    beginning = next((one for one in PARTS if name.startswith(one)), "")
    layer = name.removesuffix(end).removeprefix(beginning).removeprefix(WRAPPER)
    kind = next((kind for mark, kind in KINDS.items() if mark in end), "lora")
    return Leaf(PARTS.get(beginning), layer, LEAVES[end], kind)


def flattened(layer: str) -> str:
    """A layer's name with its dots as underscores, as kohya's tools write it, whatever the tool."""
    # Attention's processors held its changes once, and the text model's own name has come and gone.
    flat = layer.replace(".processor.", ".").replace(".", "_")
    return re.sub(r"(attn\d_to_out)$", r"\1_0", flat.removeprefix("text_model_"))
