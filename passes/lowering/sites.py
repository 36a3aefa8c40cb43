"""Sites: quantizing operands, giving 16-bit values their names."""

from __future__ import annotations

from torch import fx

from ...ir.errors import DgqcError
from ...ir.plans import (
    Activation16,
    CachedValue,
    Correction,
    Dimension,
    ObservedActivation16,
    QuantizedActivation16,
    QuantizedOperand,
    QuantizedProbabilities,
    Role,
)
from ..graph.edit import dgqc, module_path, shape
from .attention import emit_softmax
from .builder import IntegerGraphBuilder
from .cached import cached
from .corrections import corrected
from .layout import channels_last, plain
from .operands import quantize
from .registry import lowers
from .values import Joined, LoweredValue, PendingProbabilities, PixelPatches, Scaled


@lowers(dgqc.site.default)
def lower_site(builder: IntegerGraphBuilder, site: fx.Node) -> LoweredValue:
    """A 16-bit site names what its producer already is; an operand site quantizes."""
    source, plan = site.args[0], builder.plan(site)
    assert isinstance(source, fx.Node)
    value = builder.values[source]
    if isinstance(plan, QuantizedActivation16):
        return value
    if isinstance(plan, Correction):
        return corrected(builder, plan, site)
    if isinstance(plan, CachedValue):
        return cached(builder, plan, site)
    if isinstance(plan, QuantizedProbabilities) and isinstance(value, PendingProbabilities):
        return emit_softmax(builder, value, plan, site)
    if isinstance(plan, QuantizedOperand) and isinstance(value, Scaled | Joined):
        order = None
        if plan.operand.role is Role.CONVOLUTION:
            order = channels_last(4)
            if plan.dimension is Dimension.PIXEL:
                return PixelPatches(builder.scaled(source, order), plan)
        elif plan.operand.role is Role.LINEAR:
            order = plain(len(shape(site)))
        # Heads are quantized before they are put apart: codes are cheaper to move.
        return quantize(builder, source, order, plan, site)
    found = type(plan).__name__
    missing = (
        "observe-ranges and timestep-tables"
        if isinstance(plan, Activation16 | ObservedActivation16)
        else "the planning passes"
    )
    raise DgqcError(
        f"Site {site.args[1]} in {module_path(site)} is only {found} yet; run {missing} before lower-integer."
    )
