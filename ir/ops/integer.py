"""One record for each op that may stand at the integer level: all that is to be known of it, in one place.

A record stands beside its op's reference, in a module of this package, and says what the verifier demands,
which values come out, and what the arguments are. Everything else in dgqc asks these records and knows no op
by its name. `register_integer` takes records of other packages' ops as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from ..nodes import argument
from ..verify.checks import VerificationRule

ValueRange = tuple[int, int]
"""The smallest and the largest value that can stand in a tensor of integers."""
Known = Callable[[fx.Node], "ValueRange | None"]
"""What is known of the values of another node; None where these may be all that the type holds."""
RangeOfResult = Callable[[fx.Node, Known], "ValueRange | None"]
"""A record's answer to what values come out of a node, or out of the first of its results."""


def any_value(node: fx.Node, known: Known) -> ValueRange | None:
    """All that the result's type holds."""
    return None


@dataclass(frozen=True)
class Moved:
    """The values of one argument, in other places, none of them changed.

    source: the argument's name; it may be a list of tensors.
    """

    source: str

    def __call__(self, node: fx.Node, known: Known) -> ValueRange | None:
        given = argument(node, self.source)
        ranges = [known(part) for part in (given if isinstance(given, list | tuple) else (given,))]
        certain = [found for found in ranges if found is not None]
        if not certain or len(certain) < len(ranges):
            return None
        return min(low for low, _ in certain), max(high for _, high in certain)


def bit_codes(node: fx.Node, known: Known) -> ValueRange | None:
    """0 .. 2^bits - 1, of the argument `bits`."""
    return 0, 2 ** int(argument(node, "bits")) - 1


@dataclass(frozen=True)
class OperandArguments:
    """One side of a product: the names of the arguments that say what its codes stand for.

    codes: the tensor. summed: its axis that the product sums over, counted from the end.
    prefix: what stands before `zero`, `multiple` and `group` in the names of its tables.
    axis: the argument that says along which axis of the codes groups lie, or that axis where the op leaves
        no choice; None where groups are of output positions.
    """

    codes: str
    summed: int = -1
    prefix: str = ""
    axis: str | int | None = "axis"

    @property
    def zero(self) -> str:
        return f"{self.prefix}zero"

    @property
    def multiple(self) -> str:
        return f"{self.prefix}multiple"

    @property
    def group(self) -> str:
        return f"{self.prefix}group"


@dataclass(frozen=True)
class ProductArguments:
    """What a product multiplies.

    operands: its sides with zero points. weight: the constant that it multiplies the one operand by, (N, ...,
        K); None for a product of two activations, which reads all of its right side for each of its rows.
    per_column: constants whose first axis is the result's last one.
    quantizes: whether it takes 16-bit values and quantizes them by itself.
    """

    operands: tuple[OperandArguments, ...]
    weight: str | None = None
    per_column: tuple[str, ...] = ()
    quantizes: bool = False


@dataclass(frozen=True)
class IntegerOp:
    """What is to be known of an op that may stand at the integer level, beside its reference.

    target: the op, as nodes name it. rule: what the verifier demands of a node, apart from integers as its
        result and the placeholder `step` as its `step`, which it demands of all.
    values: what comes out: `any_value`, `bit_codes`, `Moved`, or a function of one's own.
    elementwise: of how many leading arguments each column of the result depends on the same column alone,
        where these have as many columns as the result; 0 for none.
    columns: names of constants with an entry for each column of the result, None where all are alike.
    product: for products, what they multiply.
    """

    target: Any
    rule: VerificationRule
    values: RangeOfResult
    elementwise: int = 0
    columns: tuple[str, ...] = ()
    product: ProductArguments | None = None

    @property
    def moves(self) -> str | None:
        """The argument whose values the op moves; None where it computes new ones."""
        return self.values.source if isinstance(self.values, Moved) else None


_records: dict[Any, IntegerOp] = {}


def register_integer(*records: IntegerOp) -> None:
    """Makes ops ones of the integer level. Raises ValueError where an op has a record already."""
    for record in records:
        if record.target in _records:
            raise ValueError(f"{record.target} has a record already; an op has one")
        _records[record.target] = record


def integer_ops() -> Mapping[Any, IntegerOp]:
    """All records by their ops, in the order of registration."""
    return dict(_records)


def integer_op(node: fx.Node) -> IntegerOp | None:
    """The record of a node's op; None for inputs, constants and ops of other levels."""
    return _records.get(node.target) if node.op == "call_function" else None


def product_of(node: fx.Node) -> ProductArguments | None:
    """What a node multiplies; None where it is no product."""
    found = integer_op(node)
    return None if found is None else found.product


def is_product(node: fx.Node) -> bool:
    """Whether a node multiplies, activations by weights or by other activations."""
    return product_of(node) is not None


def has_weight(node: fx.Node) -> bool:
    """Whether a node is a product with weights."""
    product = product_of(node)
    return product is not None and product.weight is not None


def takes_codes_and_weight(node: fx.Node) -> bool:
    """Whether a node is a product with weights that doesn't quantize its operand by itself: whoever reorders
    channels or takes some columns has nothing but its constants to change."""
    product = product_of(node)
    return product is not None and product.weight is not None and not product.quantizes


def reads_all_keys(node: fx.Node) -> bool:
    """Whether a node is a product of two activations: all of one side is read for each row of the other."""
    product = product_of(node)
    return product is not None and product.weight is None


def moves_values(node: fx.Node) -> bool:
    """Whether a node puts the values of an argument in other places and changes none."""
    found = integer_op(node)
    return found is not None and found.moves is not None


def elementwise_arguments(node: fx.Node) -> tuple[Any, ...]:
    """The arguments that a node's columns depend on column by column, see `IntegerOp.elementwise`; none where
    a constant knows columns by their place."""
    found = integer_op(node)
    if found is None or any(argument(node, name) is not None for name in found.columns):
        return ()
    return tuple(node.args[: found.elementwise])


def value_range(node: fx.Node, value: Callable[[fx.Node], Any] | None = None) -> ValueRange:
    """The smallest and largest value that can stand in a node's tensor of integers.

    value: gives a node's value on the meta device; `node.meta["val"]` where there is no such function.
    """
    known = _known(node)
    if known is not None:
        return known
    kind = torch.iinfo((node.meta["val"] if value is None else value(node)).dtype)
    return int(kind.min), int(kind.max)


def _known(node: fx.Node) -> ValueRange | None:
    found = integer_op(node)
    return None if found is None else found.values(node, _known)
