"""How passes are written down, found, checked and run; of the passes themselves it knows none by name."""

from .instruments import Instrument, PrintAfter, Timing
from .manager import PassManager
from .pipeline import format_pipeline, parse_pipeline
from .registry import find_pass, register_pass

__all__ = [
    "Instrument",
    "PassManager",
    "PrintAfter",
    "Timing",
    "find_pass",
    "format_pipeline",
    "parse_pipeline",
    "register_pass",
]
