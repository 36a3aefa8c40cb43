"""Formulas of one variable as text, calls of PyTorch's pointwise ops: `mul(x, sigmoid(mul(x, 1.702)))`.

A function of a model that is made of several ops becomes one op that carries its formula. Text can be stored,
printed and compared, and a file from somebody else can call nothing with it but what stands here.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import torch

VARIABLE = "x"
LONGEST = 2000
"""Characters of a formula; a longer one is no longer something that somebody wrote as one function."""

_NAMES = """
    abs acos acosh add addcdiv addcmul asin asinh atan atan2 atanh bitwise_and bitwise_not bitwise_or
    bitwise_xor ceil celu clamp clamp_max clamp_min copysign cos cosh div elu eq erf erfc exp exp2 expm1
    floor fmod frac ge gelu gt hardshrink hardsigmoid hardswish hardtanh hypot isinf isnan le leaky_relu
    lerp log log10 log1p log2 log_sigmoid logaddexp logical_and logical_not logical_or logical_xor logit
    lt masked_fill maximum minimum mish mul ne neg pow reciprocal relu relu6 remainder round rsqrt rsub
    selu sgn sigmoid sign silu sin sinc sinh softplus softshrink sqrt square sub tan tanh threshold trunc
    where xlogy
"""
POINTWISE = frozenset(_NAMES.split())
"""PyTorch's ops that compute each element from the same element of their arguments, and change none."""


def pointwise_overloads() -> Iterator[torch._ops.OpOverload]:
    """All overloads of these ops that give one tensor."""
    for name in sorted(POINTWISE):
        packet = getattr(torch.ops.aten, name)
        for overload in packet.overloads():
            target: torch._ops.OpOverload = getattr(packet, overload)
            if _gives_a_tensor(target._schema):
                yield target


def _gives_a_tensor(schema: Any) -> bool:
    results = [str(result.type) for result in schema.returns]
    takes_one = any(str(argument.type) == "Tensor" for argument in schema.arguments)
    return results == ["Tensor"] and takes_one and not schema.is_mutable


def formula(name: str, *arguments: str | float | bool | None, **keywords: str | float | bool | None) -> str:
    """The text of a call. arguments: formulas, as text, and numbers; a word is given as `repr` of it."""
    parts = [_written(value) for value in arguments]
    parts += [f"{key}={_written(value)}" for key, value in keywords.items()]
    return f"{name}({', '.join(parts)})"


@lru_cache(maxsize=4096)
def parsed(text: str) -> ast.expr:
    """A formula's tree. Raises ValueError where it is none."""
    try:
        tree = ast.parse(text, mode="eval").body
        _check(tree)
    except (SyntaxError, RecursionError) as error:
        raise ValueError(f"{text[:80]!r} is no formula: {error}") from error
    return tree


def evaluated(text: str, x: torch.Tensor) -> torch.Tensor:
    """A formula's value at every element of x, in x's type. Raises ValueError where it is none."""
    known: dict[str, Any] = {VARIABLE: x}
    result = _value(parsed(text), known)
    return torch.as_tensor(result).to(x.dtype).expand(x.shape).clone()


def function_of(text: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """A formula as a function."""
    parsed(text)
    return lambda x: evaluated(text, x)


def composed(outer: str, inner: str) -> str:
    """The formula of outer(inner(x))."""

    class Inserted(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return parsed(inner) if node.id == VARIABLE else node

    return ast.unparse(Inserted().visit(ast.parse(outer, mode="eval").body))


def _written(value: str | float | bool | None) -> str:
    return value if isinstance(value, str) else repr(value)


def _check(tree: ast.AST) -> None:
    if isinstance(tree, ast.Call):
        if not isinstance(tree.func, ast.Name) or tree.func.id not in POINTWISE:
            raise SyntaxError(f"{ast.unparse(tree.func)} is not one of PyTorch's pointwise ops")
        for part in (*tree.args, *(keyword.value for keyword in tree.keywords)):
            _check(part)
    elif isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        _check(tree.operand)
    elif isinstance(tree, ast.Name):
        if tree.id not in (VARIABLE, "inf"):
            raise SyntaxError(f"{tree.id} is not {VARIABLE}")
    elif not isinstance(tree, ast.Constant):
        raise SyntaxError(f"{ast.unparse(tree)} is neither a call nor a number")


def _value(tree: ast.expr, known: dict[str, Any]) -> Any:
    if isinstance(tree, ast.Constant):
        return tree.value
    if isinstance(tree, ast.UnaryOp):
        return -_value(tree.operand, known)
    key = ast.unparse(tree)
    if key == "inf":
        return float("inf")
    if key not in known:
        # What stands in a formula several times is computed once.
        assert isinstance(tree, ast.Call)
        assert isinstance(tree.func, ast.Name)
        arguments = [_value(part, known) for part in tree.args]
        keywords = {str(part.arg): _value(part.value, known) for part in tree.keywords}
        known[key] = _called(tree.func.id, arguments, keywords, known[VARIABLE])
    return known[key]


def _called(name: str, arguments: list[Any], keywords: dict[str, Any], like: torch.Tensor) -> Any:
    """An op of numbers and tensors; some take tensors only.

    Raises ValueError where it takes neither.
    """
    op = getattr(torch.ops.aten, name)
    try:
        return op(*arguments, **keywords)
    except RuntimeError:
        tensors = [torch.tensor(a, dtype=like.dtype) if isinstance(a, int | float) else a for a in arguments]
    try:
        return op(*tensors, **keywords)
    except RuntimeError as error:
        raise ValueError(f"{name} can't be called with {len(arguments)} such arguments") from error
