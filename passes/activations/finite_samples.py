"""Calibration samples whose values are not finite: refused by number, before anything follows from them."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ...ir.calibration import Inputs, samples_in
from ...ir.errors import DgqcError

FirstOdd = Callable[[Inputs], str | None]
"""The layer whose result is the first that isn't finite for some inputs; None where all are."""


def check_inputs(inputs: Inputs, before: int, where: str) -> None:
    """Raises DgqcError for a sample that is not finite. before: samples of this call that were read already.
    where: which call it is, for the message."""
    for name, value in inputs.items():
        odd = (
            ~torch.isfinite(value.reshape(len(value), -1)).all(dim=1)
            if value.is_floating_point()
            else torch.zeros(0)
        )
        if bool(odd.any()):
            number = before + int(odd.nonzero()[0])
            raise DgqcError(
                f"Calibration sample {number} of {where} holds a number in {name} that is not finite; "
                "leave it out, or record it again."
            )


def check_values(inputs: Inputs, before: int, where: str, odd: FirstOdd) -> None:
    """Raises DgqcError with the layer and the sample, given that some sample's values are not finite."""
    for number in range(samples_in(inputs)):
        layer = odd({name: value[number : number + 1] for name, value in inputs.items()})
        if layer is not None:
            raise DgqcError(
                f"Calibration sample {before + number} of {where} makes the float model overflow in {layer}, "
                "whose result is not finite; leave the sample out, or mend the model there."
            )
    raise DgqcError(
        f"The float model overflows for some of {len(inputs['sample'])} calibration samples of {where}, "
        f"counted from {before}; leave them out."
    )
