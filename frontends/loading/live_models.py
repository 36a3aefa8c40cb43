"""Models that are handed over in Python: what stands between them and their own weights."""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedModel

from ...ir.errors import DgqcError
from ...ir.tensors import all_finite
from .exported_unet import ExportedUNet
from .unet_config import INSTEAD, WITH_PIPELINE, with_article
from .weights import not_plain

FREE_U = ("s1", "s2", "b1", "b2")


def check_live(model: nn.Module) -> None:
    """Raises DgqcError for a model of a kind that dgqc knows not to compile, without values, with adapters
    beside its weights, or changed by FreeU.

    Files are checked where they are read; a module may have come from anywhere.
    """
    if isinstance(model, ExportedUNet):
        return
    name = type(model).__name__
    if name in INSTEAD:
        raise DgqcError(f"dgqc does not compile {with_article(name)}{INSTEAD[name]}.")
    if isinstance(model, PreTrainedModel):
        raise DgqcError(f"dgqc does not compile {with_article(name)}{WITH_PIPELINE}.")
    for path, value in [*model.named_parameters(), *model.named_buffers()]:
        if value.is_meta:
            raise DgqcError(
                f"The {name}'s {path} is on the meta device, without values; load the model with "
                "from_pretrained, or move it with its weights."
            )
        if "lora_" in path or ".base_layer." in path:
            raise DgqcError(
                f"The {name} has an adapter beside its weights ({path}); fuse it with pipe.fuse_lora() and "
                "pipe.unload_lora_weights(), or merge_and_unload() of peft."
            )
        if isinstance(value, nn.Parameter) and (fault := not_plain(value)):
            raise DgqcError(f"The {name}'s {path} is {fault}; give the UNet with float weights.")
        if value.is_floating_point() and not all_finite(value):
            raise DgqcError(f"The {name}'s {path} holds NaN or infinite values; give a model without.")
    for block in getattr(model, "up_blocks", ()):
        if any(getattr(block, key, None) is not None for key in FREE_U):
            raise DgqcError(
                f"The {name} has FreeU enabled, which filters with Fourier transforms; call "
                "pipe.disable_freeu() before it is compiled."
            )
