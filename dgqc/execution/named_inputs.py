"""A UNet's inputs by name, from the arguments that diffusers calls it with."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ..ir.calibration import Inputs


def named_inputs(
    sample: torch.Tensor,
    encoder_hidden_states: torch.Tensor | None = None,
    class_labels: torch.Tensor | None = None,
    added_cond_kwargs: Mapping[str, torch.Tensor] | None = None,
) -> Inputs:
    """All inputs that are given; shapes as in `CompiledProgram.run`."""
    given: dict[str, torch.Tensor | None] = {
        "sample": sample,
        "encoder_hidden_states": encoder_hidden_states,
        "class_labels": class_labels,
        **(added_cond_kwargs or {}),
    }
    return {name: value for name, value in given.items() if value is not None}
