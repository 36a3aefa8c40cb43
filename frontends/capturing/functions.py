"""Several ops on one value, seen as one function of it: `x * tanh(softplus(x))`, written however."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import torch
from torch import fx
from torch.nn import functional as F

from ...ir.formula import LONGEST, VARIABLE, composed, formula, function_of
from .graph_builder import aten
from .rewriter import Rewriter

PLAIN = ("mul(", "add(")
"""Calls that don't make a formula a function: 16-bit values are multiplied and added as they are."""


def one_function(
    rewriter: Rewriter, name: str, arguments: Sequence[Any], keywords: dict[str, Any] | None = None
) -> fx.Node | None:
    """A pointwise op as a function of one value that all its arguments are functions of; None where there is
    none, or where it takes constant tensors.

    arguments, keywords: nodes, numbers, words, None.
    """
    nodes = [value for value in arguments if isinstance(value, fx.Node)]
    if not nodes or not all(_is_plain(value) for value in (*arguments, *(keywords or {}).values())):
        return None
    source = _common_source(nodes)
    if source is None:
        return None
    written = [_text(value, source) for value in arguments]
    named = {key: repr(value) if isinstance(value, str) else value for key, value in (keywords or {}).items()}
    text = formula(name, *written, **named)
    if len(text) > LONGEST:
        # What became too long stays a value of its own.
        return emit_function(rewriter, nodes[0], formula(name, VARIABLE)) if len(arguments) == 1 else None
    return emit_function(rewriter, source, text)


def fused(rewriter: Rewriter, name: str, left: fx.Node, right: fx.Node) -> fx.Node | None:
    """A sum or product of two values that are functions of one, as such a function; None where neither is
    more than the value itself, scaled or moved."""
    if not rewriter.builder.depends_on_sample(left) or left is right:
        return None
    texts = [text for node in (left, right) for _, text in _as_functions(node)]
    if all(_only_plain(text) for text in texts):
        return None
    found = one_function(rewriter, name, (left, right))
    return found


def emit_function(rewriter: Rewriter, source: fx.Node, text: str) -> fx.Node:
    """A function of a value: SiLU and GELU as themselves, all others with their formula."""
    try:
        known = _known_as(text)
    except ValueError as error:
        raise rewriter.unsupported(detail=str(error)) from error
    if known == "silu":
        return rewriter.emit(aten.silu.default, source)
    if known:
        return rewriter.emit(aten.gelu.default, source, approximate=known)
    return rewriter.emit(torch.ops.dgqc.function.default, source, text)


def _common_source(nodes: Sequence[fx.Node]) -> fx.Node | None:
    """The value that all are functions of: the farthest one that lies behind a function, or the nearest.

    What is only scaled and moved before any function stays a value of its own.
    """
    ways = [dict(_as_functions(node)) for node in nodes]
    common = [node for node in ways[0] if all(node in way for way in ways)]
    behind = [node for before, node in pairwise(common) if not _only_plain(dict(_as_functions(before))[node])]
    return behind[-1] if behind else next(iter(common), None)


def _as_functions(node: fx.Node) -> Iterator[tuple[fx.Node, str]]:
    """All values that a node is a function of, with the function, from the node itself on upstream."""
    text = VARIABLE
    while len(text) <= LONGEST:
        yield node, text
        step = step_up(node)
        if step is None:
            return
        node, text = step[0], composed(text, step[1])


def step_up(node: fx.Node) -> tuple[fx.Node, str] | None:
    """The value that an op is a function of, and the function; None where it takes several values."""
    target, arguments = node.target, node.args
    source = arguments[0] if arguments else None
    if not isinstance(source, fx.Node) or node.op != "call_function":
        return None
    if target is torch.ops.dgqc.function.default:
        return source, str(arguments[1])
    if target is aten.silu.default:
        return source, "silu(x)"
    if target is aten.gelu.default:
        return source, formula("gelu", VARIABLE, approximate=repr(node.kwargs["approximate"]))
    if target in (aten.mul.Tensor, aten.add.Tensor):
        name, other = target._opname, arguments[1]
        if other is source:
            return source, formula(name, VARIABLE, VARIABLE)
        if isinstance(other, int | float):
            return source, formula(name, VARIABLE, other)
    return None


def _only_plain(text: str) -> bool:
    for call in PLAIN:
        text = text.replace(call, "")
    return "(" not in text


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, fx.Node | int | float | str | bool)


def _text(value: Any, source: fx.Node) -> str | float | None:
    if isinstance(value, fx.Node):
        return dict(_as_functions(value))[source]
    return repr(value) if isinstance(value, str) else value


@lru_cache(maxsize=1024)
def _known_as(text: str) -> str:
    """ "silu", "none" or "tanh" (GELU's), "" for anything else: whatever computes the same is the same."""
    x = torch.linspace(-12, 12, 2001, dtype=torch.float64)
    y = function_of(text)(x)
    known = {"silu": F.silu(x), "none": F.gelu(x), "tanh": F.gelu(x, approximate="tanh")}
    return next((name for name, wanted in known.items() if bool(((y - wanted).abs() < 2e-6).all())), "")
