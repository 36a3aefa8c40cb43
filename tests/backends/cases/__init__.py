"""One op a case: what its parameters may be, and the program that holds the op with random constants.

A space gives each parameter its choices. Property tests draw from it, and so do tests that put many cases
into one module.
"""

from __future__ import annotations

from . import attention, elementwise, moves, norms, products, wide
from .case import Case, Inputs

__all__ = ["CASES", "Case", "Inputs"]

CASES: dict[str, Case] = {
    **products.CASES,
    **attention.CASES,
    **norms.CASES,
    **elementwise.CASES,
    **moves.CASES,
    **wide.CASES,
}
