"""Which contexts a UNet takes, and how wide their tokens are: as its config says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...ir.errors import UnsupportedOperation

FIRST, SECOND = "encoder_hidden_states", "encoder_hidden_states_1"
OF_THE_FIRST = 2
"""Of the attentions that stand side by side in AudioLDM 2's blocks, so many read the first context, others
the second; those without a width read none."""


def context_widths(config: Mapping[str, Any]) -> dict[str, int]:
    """Numbers of each token, by input; of those that the model takes.

    Raises UnsupportedOperation where blocks want tokens of unlike widths from one context.
    """
    if not _takes_any(config):
        return {}
    # Kandinsky 3 projects every context, and doesn't say how.
    always = "encoder_hid_dim_type" not in config and config.get("encoder_hid_dim") is not None
    if always or config.get("encoder_hid_dim_type") not in (None, "ip_image_proj"):
        width = config.get("encoder_hid_dim")
        return {} if width is None else {FIRST: int(width)}
    found: dict[str, set[int]] = {}
    for block in _listed(config.get("cross_attention_dim")):
        for place, width in enumerate(_listed(block)):
            if width is not None:
                found.setdefault(FIRST if place < OF_THE_FIRST else SECOND, set()).add(int(width))
    for name, widths in found.items():
        if len(widths) != 1:
            raise UnsupportedOperation(
                f"The model's blocks want contexts of different widths ({sorted(widths)}), but there is one "
                f"{name} input; use one cross_attention_dim for all blocks."
            )
    return {name: widths.pop() for name, widths in found.items()}


def _takes_any(config: Mapping[str, Any]) -> bool:
    """Whether a conditional model is given a context.

    Kandinsky 2.2 makes its own of a picture's embedding. AudioLDM's blocks want contexts as wide as they are
    themselves, since they attend to themselves twice.
    """
    widths = config.get("cross_attention_dim")
    each = list(widths) if isinstance(widths, list | tuple) else []
    plain = all(isinstance(one, int) for one in each)
    itself = plain and len(set(each)) > 1 and each == list(config["block_out_channels"])
    return config.get("encoder_hid_dim_type") != "image_proj" and not itself


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
