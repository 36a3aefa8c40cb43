"""The four levels a graph goes through (docs/design.md, "Levels")."""

from enum import StrEnum


class Level(StrEnum):
    """How far a program has come. At each level the graph runs, so any two can be compared."""

    CAPTURED = "captured"
    """A small ATen op set in floating point."""
    PLANNED = "planned"
    """The same, and every value that will be quantized goes through `dgqc::site`."""
    SIMULATED = "simulated"
    """Explicit fake-quantize ops, in floating point: the paper's formulas."""
    INTEGER = "integer"
    """Only integer tensors. This level is the definition of the program."""
