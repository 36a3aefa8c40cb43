"""dgqc's own lowerings, imported so that they register, and the questions that passes ask of all."""

from __future__ import annotations

from torch import fx

from ...ir.errors import DgqcError, UnsupportedOperation
from ..graph.edit import module_path
from . import (  # noqa: F401  (they register lowerings)
    activation,
    attention,
    balance,
    elementwise,
    functions,
    norms,
    products,
    rows,
    sites,
    tokens,
    views,
    windows,
)
from .builder import IntegerGraphBuilder
from .registry import lowerings
from .values import LoweredValue


def has_lowering(node: fx.Node) -> bool:
    """Whether a call of the captured level has an integer form."""
    return node.target in lowerings()


def no_integer_form(node: fx.Node) -> UnsupportedOperation:
    """The error that refuses a node without a lowering."""
    return UnsupportedOperation(
        f"The op {node.target} in {module_path(node)} has no integer form; "
        "replace it in the model or add a lowering for it (docs/adding-an-op.md)."
    )


def lower(builder: IntegerGraphBuilder, node: fx.Node) -> LoweredValue:
    """What a node of the planned level becomes.

    Raises UnsupportedOperation where it has no integer form, DgqcError where its values fit none.
    """
    lowering = lowerings().get(node.target)
    if lowering is None:
        raise no_integer_form(node)
    try:
        return lowering(builder, node)
    except OverflowError as error:
        raise DgqcError(
            f"{module_path(node)} ({node.name}) does not fit fixed point: {error}; "
            "look for dead or exploding activations in the calibration samples."
        ) from error
