"""Moved to `dgqc.frontends.loading.model_inputs`; this name goes with the next release."""

import warnings

from .loading.arguments import call_arguments
from .loading.model_inputs import model_inputs

__all__ = ["call_arguments", "model_inputs"]

warnings.warn(
    "dgqc.frontends.model_inputs is now dgqc.frontends.loading.model_inputs.",
    DeprecationWarning,
    stacklevel=2,
)
