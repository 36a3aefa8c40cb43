"""Moved to `dgqc.passes.manager`; this name goes with the next release."""

import warnings

from .manager.registry import find_pass, pass_names, register_pass

__all__ = ["find_pass", "pass_names", "register_pass"]

warnings.warn("dgqc.passes.registry is now dgqc.passes.manager.", DeprecationWarning, stacklevel=2)
