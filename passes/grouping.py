"""Moved to `dgqc.passes.activations.grouping`; this name goes with the next release."""

import warnings

from .activations.grouping import Grouping, in_order

__all__ = ["Grouping", "in_order"]

warnings.warn(
    "dgqc.passes.grouping is now dgqc.passes.activations.grouping.", DeprecationWarning, stacklevel=2
)
