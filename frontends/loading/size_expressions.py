"""The grammar of symbolic sizes, such as `2*s53` or `Mul(Integer(4), Symbol('s53', integer=True))`.

PyTorch hands these texts to `sympy.sympify`, which evaluates them as Python. So they are parsed here, and
only what stands in this grammar passes:

    size   = number | symbol | size (+ | - | * | / | //  | %) size | -size | function(size, ...)
    symbol = s53 | u0 | Symbol('s53', integer=True, ...)

There are no powers, which could take forever.
"""

from __future__ import annotations

import ast
import re

SYMBOL = re.compile(r"[a-z]{1,3}[0-9]{1,9}")
FUNCTIONS = frozenset({"Integer", "Add", "Mul", "Max", "Min", "FloorDiv", "PythonMod", "Mod", "CleanDiv"})
LONGEST = 2000
"""Characters of an expression."""
LARGEST = 2**63
OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod)


def checked_size(text: str) -> str:
    """The text itself. Raises ValueError where it is not in the grammar."""
    if len(text) > LONGEST or not text.isascii():
        raise ValueError("a symbolic size is too long, or not ASCII")
    try:
        tree = ast.parse(text, mode="eval").body
        fits = _is_size(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        fits = False
    if not fits:
        raise ValueError(f"{text!r} is no symbolic size")
    return text


def checked_symbol(text: str) -> str:
    """The text itself. Raises ValueError where it is no symbol's name."""
    if not SYMBOL.fullmatch(text):
        raise ValueError(f"{text!r} is no symbol")
    return text


def _is_size(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=value):
            return type(value) is int and value < LARGEST
        case ast.Name(id=name):
            return bool(SYMBOL.fullmatch(name))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _is_size(operand)
        case ast.BinOp(left=left, op=operator, right=right):
            return isinstance(operator, OPERATORS) and _is_size(left) and _is_size(right)
        case ast.Call(func=ast.Name(id="Symbol"), args=[ast.Constant(value=str(name))], keywords=keywords):
            return bool(SYMBOL.fullmatch(name)) and all(_is_assumption(one) for one in keywords)
        case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]):
            return function in FUNCTIONS and all(_is_size(one) for one in arguments)
    return False


def _is_assumption(one: ast.keyword) -> bool:
    known = one.arg in ("integer", "positive", "nonnegative", "real", "finite")
    return known and isinstance(one.value, ast.Constant) and isinstance(one.value.value, bool)
