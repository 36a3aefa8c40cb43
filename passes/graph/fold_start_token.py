"""`fold-start-token`: keys and values of the start token become constants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

import torch
from torch import fx

from ...ir.errors import DgqcError
from ...ir.level import Level
from ...ir.program import Program
from ..base import Pass
from ..manager.registry import register_pass
from .batches import arguments
from .edit import add_constant, aten, call, clean, constant, propagate, shape

CONTEXT = "encoder_hidden_states"


class Missing(StrEnum):
    """What becomes of a model without a text."""

    REFUSE = "refuse"
    LEAVE = "leave"


@register_pass
@dataclass(frozen=True)
class FoldStartToken(Pass):
    """Computes what layers make of the text's first token once, in float (MixDQ).

    A text encoder with a causal mask says the same of its first token whatever the prompt is. With c the
    context and c0 its first row:

        c W^T + b = cat(c0 W^T + b, c[1:] W^T + b),  of which the first part is a constant

    Exact: the graph computes the same for every prompt with this first row. The row has no part in ranges of
    the layers' inputs any more, and is read by none of them; a program that is given another one doesn't see
    it. Deviation: MixDQ keeps the constants in half precision; here they have 16 bits as a part of all keys
    and of all values, and values are then coded like the others' (DGQ eq. 9). The context keeps its length,
    since pipelines give it whole.

    Calibration has to show that the row is the same, to the last bit, for every prompt at every call.

    missing: whether a model without such layers is refused, or left as it is.
    """

    missing: Missing = Missing.REFUSE

    name: ClassVar[str] = "fold-start-token"
    takes: ClassVar[Level] = Level.CAPTURED
    leaves: ClassVar[Level] = Level.CAPTURED

    def run(self, program: Program) -> Program:
        module, graph = program.graph, program.graph.graph
        context = next((n for n in graph.nodes if n.op == "placeholder" and n.target == CONTEXT), None)
        layers = [n for n in context.users if _reads(n, context)] if context is not None else []
        if context is None or not layers or shape(context)[1] < 2:
            if self.missing is Missing.LEAVE:
                return program.with_report(self.name, {"layers": 0})
            raise DgqcError(
                "fold-start-token folds layers that read a text of two tokens or more, and this model has "
                "none; leave it out."
            )
        row = _same_row(program)
        with graph.inserting_before(layers[0]):
            name, tokens = f"{CONTEXT}_others", shape(context)[1]
            others = call(graph, aten.slice.Tensor, (context, 1, 1, tokens), layers[0], name)
        for layer in layers:
            _fold(module, layer, row, others)
        clean(module)
        # A constant row stands beside those of one sample.
        result = replace(program, graph=module, batched=False)
        propagate(result)
        return result.with_report(self.name, {"layers": len(layers)})


def _reads(layer: fx.Node, context: fx.Node) -> bool:
    return layer.target is aten.linear.default and layer.args[0] is context


def _fold(module: fx.GraphModule, layer: fx.Node, row: torch.Tensor, others: fx.Node) -> None:
    parts = [constant(module, one).detach() for one in layer.args[1:] if isinstance(one, fx.Node)]
    with torch.no_grad():
        value = torch.nn.functional.linear(row, *parts)
    with module.graph.inserting_after(layer):
        whole = call(module.graph, aten.cat.default, (), layer, f"{layer.name}_whole")
    layer.replace_all_uses_with(whole)
    layer.update_arg(0, others)
    with module.graph.inserting_before(whole):
        first = add_constant(module, f"{layer.name}_start", value)
    whole.args = ([first, layer], 1)


def _same_row(program: Program) -> torch.Tensor:
    """The first row of every context that calibration has, (1, 1, D).

    Raises DgqcError where there are several, naming the call.
    """
    if program.calibration is None:
        raise DgqcError("fold-start-token needs calibration samples; give some with --calib.")
    found: torch.Tensor | None = None
    for step in range(len(program.schedule)):
        for rows in _contexts(program, step):
            found = rows[:1, :1] if found is None else found
            if bool((rows[:, :1] != found).any()):
                raise DgqcError(
                    f"fold-start-token found other texts' first tokens to differ, at call {step} of the "
                    "calibration; this text encoder has no causal mask, so leave the pass out."
                )
    assert found is not None
    return found.clone()


def _contexts(program: Program, step: int) -> Iterator[torch.Tensor]:
    place = [item.name for item in program.inputs].index(CONTEXT)
    assert program.calibration is not None
    for inputs in program.calibration.read(step):
        yield from (each[place] for each in arguments(program, inputs))
