"""Moved to `dgqc.ir.verify.verifier`; this name goes with the next release."""

import warnings

from .verify.verifier import problems, verify

__all__ = ["problems", "verify"]

warnings.warn("dgqc.ir.verifier is now dgqc.ir.verify.verifier.", DeprecationWarning, stacklevel=2)
