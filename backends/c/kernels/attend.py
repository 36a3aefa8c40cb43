"""The kernel of probabilities times values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import fx

from ....ir.arithmetic.operands import operand_values, shape_of, value_of
from ....ir.nodes import arguments
from .context import EmissionContext
from .kernel import Kernel, by_rows
from .kernel_call import KernelCall, struct
from .matmul import batch_counts
from .operands import operand
from .runtime_header import defined

LIMBS, CODES = defined("DGQC_LIMBS"), defined("DGQC_CODES")
QUAD, PANEL, ROWS = defined("DGQC_QUAD"), defined("DGQC_PANEL_COLUMNS"), defined("DGQC_ATTEND_ROWS")
MOST_KEYS = 2**16
"""So many products of an unsigned and a signed byte fit int32."""
MOST_KEYS_OF_A_SEGMENT = 2**15
"""So many products of two unsigned bytes do."""
LONG_ENOUGH = 64
"""Keys of a segment that are worth 64-bit sums of their own."""


@dataclass(frozen=True)
class AttendBytes:
    """What attend multiplies.

    limbs: bytes of a probability; 0 where a code is its own probability. value: bytes of a value: 1 for 8-bit
        codes as they are; 2 for values that fit int16; 0 for any others, which are multiplied one by one.
    ends: of the segments of keys of one group, where values of 1 byte have groups of keys.
    """

    limbs: int
    value: int
    ends: tuple[int, ...] = ()


def attend_bytes(node: fx.Node) -> AttendBytes:
    """From an attend's actual tables."""
    a = arguments(node)
    probabilities = value_of(a["weights"]).to(torch.int64)
    fit = next((n for n in range(1, LIMBS + 1) if int(probabilities.amax()) < 2 ** (8 * n)), None)
    keys = shape_of(a["codes"])[-1]
    if fit is None or int(probabilities.amin()) < 0 or probabilities.numel() > CODES or keys > MOST_KEYS:
        return AttendBytes(LIMBS, 0)
    limbs = 0 if torch.equal(probabilities, torch.arange(probabilities.numel())) else fit
    if a["values"].meta["val"].dtype == torch.uint8 and not groups_of_keys(a):
        return AttendBytes(limbs, 1)
    ends = _ends(value_of(a["group"])) if groups_of_keys(a) and not a["start"] else ()
    zero, coded = value_of(a["zero"]), a["values"].meta["val"].dtype == torch.uint8 and limbs == 0
    among = int(zero.amin()) >= 0 and int(zero.amax()) <= 255
    longest = max((end - first for first, end in pairwise((0, *ends))), default=0)
    if coded and among and keys >= LONG_ENOUGH * len(ends) and 0 < longest <= MOST_KEYS_OF_A_SEGMENT:
        return AttendBytes(limbs, 1, ends)
    return AttendBytes(limbs, 2 if operand_values(node).fits(16) else 0)


def _ends(group: torch.Tensor) -> tuple[int, ...]:
    """Where segments of one group end."""
    return tuple(torch.unique_consecutive(group, return_counts=True)[1].cumsum(0).tolist())


def groups_of_keys(a: dict[str, Any]) -> bool:
    """Whether an attend's values have groups along the keys. a: its arguments."""
    axes = len(shape_of(a["values"]))
    return bool(a["axis"] % axes == axes - 2 and value_of(a["group"]).any())


def _call(node: fx.Node, a: dict[str, Any], context: EmissionContext) -> KernelCall:
    codes, values, how = shape_of(a["codes"]), shape_of(a["values"]), attend_bytes(node)
    batches, value_batches = batch_counts(node, codes, values)
    by_key = groups_of_keys(a)
    tables = (a["values"], a["zero"], a["multiple"], a["group"])
    parameters = struct(
        batches=batches,
        value_batches=value_batches,
        rows=codes[-2],
        keys=codes[-1],
        columns=values[-1],
        start=a["start"],
        probabilities=context.table(a["weights"]),
        codes=value_of(a["weights"]).numel(),
        fraction=a["fraction"],
        limbs=how.limbs,
        value_bytes=how.value,
        segments=len(how.ends),
        ends=context.constants.add(torch.tensor(how.ends, dtype=torch.int32)) if how.ends else None,
        values=operand(context, *tables, -2 if by_key else -1, by_key),
        **context.named(a, "factor", "shift"),
    )
    sources = tuple(context.rows(a[name]) for name in ("codes", "mantissa", "exponent", "first"))
    whole = context.places.at(a["values"])
    return context.by_rows("attend", node, parameters, (*sources, whole), whole=(whole,))


def _shared(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    """Tables of the values, limbs of the probabilities, panels of the values."""
    values, how = shape_of(a["values"]), attend_bytes(node)
    count, keys = values[-2] if groups_of_keys(a) else values[-1], shape_of(a["codes"])[-1]
    ends = how.ends or (keys,)
    quads = sum(-(-end // QUAD) - first // QUAD for first, end in pairwise((0, *ends)))
    batch = -(-values[-1] * how.value // PANEL) * PANEL * QUAD * quads
    return (4 * count, 4 * count, LIMBS * CODES, math.prod(values[:-2]) * batch)


def _scratch(node: fx.Node, a: dict[str, Any], rows: int) -> tuple[int, ...]:
    """A row's probabilities; or those of the rows that are computed at once, in limbs where codes aren't
    these, and their sums in each segment."""
    keys, how = shape_of(a["codes"])[-1], attend_bytes(node)
    if not how.value:
        return (4 * keys,)
    moved = max(how.limbs, 1) * -(-keys // QUAD) * QUAD if how.limbs or keys % QUAD else 0
    return (min(rows, ROWS) * moved, max(len(how.ends), 1) * min(rows, ROWS) * 8)


_ROWS = by_rows("codes", "mantissa", "exponent", "first")
KERNELS = (Kernel(torch.ops.dgqc.attend.default, _call, _ROWS, _shared, _scratch),)
