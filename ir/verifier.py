"""Moved to `dgqc.ir.verify`; this name goes with the next release."""

import warnings

from .verify import problems, verify

__all__ = ["problems", "verify"]

warnings.warn("dgqc.ir.verifier is now dgqc.ir.verify.", DeprecationWarning, stacklevel=2)
