"""Moved to `dgqc.passes.manager`; this name goes with the next release."""

import warnings

from .manager.pipeline import format_pass, format_pipeline, parse_pipeline

__all__ = ["format_pass", "format_pipeline", "parse_pipeline"]

warnings.warn("dgqc.passes.pipeline is now dgqc.passes.manager.", DeprecationWarning, stacklevel=2)
