"""What the MLIR passes are called, without importing torch-mlir."""

from __future__ import annotations

from enum import StrEnum


class Family(StrEnum):
    """Which pass lowers an op; they run in this order."""

    PRODUCTS = "lower-products"
    ATTENTION = "lower-attention"
    NORMS = "lower-norms"
    ELEMENTWISE = "lower-elementwise"
    MOVES = "lower-moves"


STAGES = ("import-fx", *(family.value for family in Family), "lower-aten", "clean-up", "externalize")
"""All passes, in order. `lower-aten` is torch-mlir's own lowering of reshape, permute, slice and cat;
`externalize` runs for programs whose constants are parameters."""
