"""How complex numbers are captured, which rotate embeddings: as pairs of values."""

from __future__ import annotations

from torch import fx

from .graph_builder import aten
from .registry import capture_rule
from .rewriter import Rewriter
from .rules_shape import concatenate, cut
from .values import CapturedValue, Complex


@capture_rule(aten.view_as_complex.default)
def complex_of(rewriter: Rewriter, value: fx.Node) -> CapturedValue:
    """The last axis holds the two parts."""
    shape = [int(size) for size in value.meta["val"].shape[:-1]]
    last = len(shape)
    parts = (rewriter.reshape(cut(rewriter, value, last, part, part + 1), shape) for part in range(2))
    return Complex(*parts)


@capture_rule(aten.view_as_real.default, takes_complex=True)
def parts_of(rewriter: Rewriter, value: Complex) -> CapturedValue:
    """The two parts side by side along a last axis."""
    shape = [int(size) for size in rewriter.result().shape]
    parts = [rewriter.reshape(part, [*shape[:-1], 1]) for part in (value.real, value.imaginary)]
    return concatenate(rewriter, parts, len(shape) - 1)
