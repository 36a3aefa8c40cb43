"""How SiLU and GELU are captured: as they are."""

from __future__ import annotations

from torch import fx

from .graph_builder import aten
from .registry import capture_rule
from .rewriter import Rewriter
from .values import CapturedValue


@capture_rule(aten.silu.default)
def silu(rewriter: Rewriter, value: fx.Node) -> CapturedValue:
    """A gate: x times the logistic function."""
    return rewriter.emit(aten.silu.default, value)


@capture_rule(aten.gelu.default)
def gelu(rewriter: Rewriter, value: fx.Node, *, approximate: str = "none") -> CapturedValue:
    """A gate: x times the normal distribution."""
    return rewriter.emit(aten.gelu.default, value, approximate=approximate)
