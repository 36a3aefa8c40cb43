"""`permute-keys`: the keys of a group stand side by side where attention's values have groups of keys."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import fx

from ....ir.level import Level
from ....ir.nodes import arguments, replace_argument
from ....ir.program import Program
from ....passes.base import Pass
from ....passes.graph.edit import add_constant, call, clean, constant, dgqc, propagate
from ....passes.manager.registry import register_pass

SOFTMAXES = (
    dgqc.softmax_log2.default,
    dgqc.softmax_uniform.default,
    dgqc.softmax_static.default,
)


@register_pass
@dataclass(frozen=True)
class PermuteKeys(Pass):
    """Reorders the keys of an attention so that each group of its values is one contiguous block of the sum.

    Keys and values are both gathered in the new order, before the scores: neither a softmax nor a sum depends
    on the order of keys, so results stay the same bit for bit. A kernel then multiplies 8-bit values as they
    are, and takes zeros and multiples a block at a time. Attentions with a start token apart, which are over
    few keys, stay as they are.
    """

    name: ClassVar[str] = "permute-keys"
    takes: ClassVar[Level] = Level.INTEGER
    leaves: ClassVar[Level] = Level.INTEGER
    requires: ClassVar[frozenset[str]] = frozenset({"integers"})
    provides: ClassVar[frozenset[str]] = frozenset({"contiguous-keys"})
    invalidates: ClassVar[frozenset[str]] = frozenset({"fusion-groups", "memory-plan"})

    def run(self, program: Program) -> Program:
        nodes = [node for node in program.graph.graph.nodes if node.target is dgqc.attend.default]
        permuted = sum(_permute(program.graph, node) for node in nodes)
        clean(program.graph)
        result = replace(program)
        propagate(result)
        return result.with_report(self.name, {"attentions": permuted})


def _permute(module: fx.GraphModule, attend: fx.Node) -> bool:
    """Whether it was done."""
    a = arguments(attend)
    values, rank = a["values"], len(a["values"].meta["val"].shape)
    group, scores = constant(module, a["group"]), _scores(attend)
    by_key = a["axis"] % rank == rank - 2 and values.meta["val"].dtype == torch.uint8
    order = torch.argsort(group, stable=True)
    if scores is None or not by_key or a["start"] or bool((order == torch.arange(len(order))).all()):
        return False
    with module.graph.inserting_before(scores):
        moves = add_constant(module, f"{attend.name}_order", order.to(torch.int32))
    _gather(module, scores, "b", moves, order)
    if arguments(scores)["b_axis"] % rank == rank - 2:
        _reorder(module, scores, "b_group", order)
    _gather(module, attend, "values", moves, order)
    _reorder(module, attend, "group", order)
    return True


def _scores(attend: fx.Node) -> fx.Node | None:
    """The product whose softmax nobody but `attend` reads; None where there is no such product."""
    softmax = attend.args[0].args[0] if _is(attend.args[0], operator.getitem) else None  # type: ignore[union-attr]
    if not isinstance(softmax, fx.Node) or softmax.target not in SOFTMAXES:
        return None
    if any(set(part.users) - {attend} for part in softmax.users):
        return None
    scores = softmax.args[0]
    alone = (
        isinstance(scores, fx.Node) and _is(scores, dgqc.matmul.default) and set(scores.users) == {softmax}
    )
    return scores if alone else None  # type: ignore[return-value]


def _is(node: object, target: object) -> bool:
    return isinstance(node, fx.Node) and node.target is target


def _gather(module: fx.GraphModule, node: fx.Node, name: str, moves: fx.Node, order: torch.Tensor) -> None:
    """Has an op read the keys of its argument, its last axis but one, in the new order."""
    codes = arguments(node)[name]
    axis = len(codes.meta["val"].shape) - 2
    with module.graph.inserting_before(node):
        moved = call(module.graph, dgqc.gather.default, (codes, moves, axis), codes, f"{codes.name}_by_key")
    replace_argument(node, name, moved)


def _reorder(module: fx.GraphModule, node: fx.Node, name: str, order: torch.Tensor) -> None:
    """Permutes a constant argument with an entry for each key."""
    known = arguments(node)[name]
    with module.graph.inserting_before(node):
        new = add_constant(module, f"{node.name}_{name}_by_key", constant(module, known)[order])
    replace_argument(node, name, new)
