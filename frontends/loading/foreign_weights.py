"""Files of weights that are no UNet's, told by the names in them, and what their owners want instead."""

from __future__ import annotations

import re
from collections.abc import Iterable

ONLY_UNETS = "but dgqc compiles UNets: give the model it belongs to"
KINDS = (
    (
        r"\blora_(up|down|A|B)\b|[._]lora\.(up|down)\.|\.hada_w|\.lokr_w",
        "a LoRA or one of its relatives: compile the model that it is for, and give this file with --lora",
    ),
    (
        r"\b(double_blocks|joint_blocks|single_transformer_blocks)\.\d|\b[cx]\w*_embedder\.",
        "a diffusion transformer (Flux, Stable Diffusion 3 and others), but dgqc compiles UNets",
    ),
    (
        r"^control_model\.|\bcontrolnet_(cond_embedding|down_blocks)\.|\binput_hint_block\.",
        "a ControlNet: compile the pipeline that it controls, as a folder, with --pictures",
    ),
    (
        r"\bmotion_modules\.",
        "motion modules of AnimateDiff: put them into their UNet (MotionAdapter.from_single_file, then "
        "UNetMotionModel.from_unet2d), save that, and compile its folder",
    ),
    (
        r"\b(time_stack|(spatial|temporal)_res_block)\.",
        "Stable Video Diffusion's UNet, which dgqc does not compile",
    ),
    (
        r"^(adapter\.)?body\.\d",
        "a T2I-Adapter: compile the pipeline that it is for, as a folder, with --pictures, and the adapter "
        "as a folder of its own (T2IAdapter.save_pretrained)",
    ),
    (r"\b(channel_mapper|effnet_mapper)\.", f"Stable Cascade's network, {ONLY_UNETS}"),
    (r"^(enc\.|dec\.)?blk\.\d+\.|^token_embd\.", f"a language model or text encoder, {ONLY_UNETS}"),
    (
        r"^(image_proj|ip_adapter)\.",
        "an IP-Adapter: compile the pipeline that it is for, and give this file with --ip-adapter",
    ),
    (r"^(string_to_param|emb_params|clip_[lg])\b", "a textual inversion, which the text encoder takes"),
    (r"^(first_stage_model\.)?decoder\.(up|up_blocks|mid_block)\.", f"a VAE, {ONLY_UNETS}"),
    (r"^(text_model|cond_stage_model|conditioner)\.", f"a text encoder, {ONLY_UNETS}"),
)
"""What stands in a name, and what its file is; the more particular first."""


def foreign_kind(names: Iterable[str]) -> str | None:
    """What a file holds instead of a UNet; None where its names tell nothing."""
    found = [name for name in names if isinstance(name, str)]
    for pattern, kind in KINDS:
        if any(re.search(pattern, name, re.ASCII) for name in found):
            return kind
    return None
