"""One record for each op's C kernel: how it is called, what it reads by rows, how much memory it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import fx

from .context import EmissionContext
from .kernel_call import KernelCall

CallsOf = Callable[[fx.Node, dict[str, Any], EmissionContext], KernelCall | list[KernelCall]]
"""calls(node, its arguments by name, context): the calls that compute a node."""
RowsOf = Callable[[fx.Node, dict[str, Any]], tuple[str, ...] | None]
"""rows(node, its arguments by name): those that are read by rows; None where the node is computed whole."""
PreparedOf = Callable[[fx.Node, dict[str, Any]], tuple[str, ...]]
"""prepared(node, its arguments by name): those that only `dgqc_KERNEL_prepare` reads."""
SharedOf = Callable[[fx.Node, dict[str, Any]], tuple[int, ...]]
"""shared(node, its arguments by name): bytes of each buffer that the kernel prepares once a call."""
LastingOf = Callable[[fx.Node, dict[str, Any]], int]
"""lasting(node, its arguments by name): bytes that outlive a call; 0 for none."""
ScratchOf = Callable[[fx.Node, dict[str, Any], int], tuple[int, ...]]
"""scratch(node, its arguments by name, rows): bytes of each buffer that a thread needs for so many rows."""
TogetherOf = Callable[[fx.Node, dict[str, Any]], tuple[int, int]]
"""together(node, its arguments by name): rows that stay in one block, and the fewest that are worth one."""


def whole(node: fx.Node, a: dict[str, Any]) -> tuple[str, ...] | None:
    """A kernel that computes its result in one go."""
    return None


def by_rows(*names: str) -> RowsOf:
    """A kernel that computes any rows of its result, and reads these arguments at the same rows only."""
    return lambda node, a: names


def nothing_shared(node: fx.Node, a: dict[str, Any]) -> tuple[int, ...]:
    """Nothing to prepare."""
    return ()


def nothing_prepared(node: fx.Node, a: dict[str, Any]) -> tuple[str, ...]:
    """Whatever is read is read while rows are computed."""
    return ()


def nothing_lasting(node: fx.Node, a: dict[str, Any]) -> int:
    """Nothing outlives a call."""
    return 0


def no_scratch(node: fx.Node, a: dict[str, Any], rows: int) -> tuple[int, ...]:
    """No memory beside operands."""
    return ()


def one_by_one(node: fx.Node, a: dict[str, Any]) -> tuple[int, int]:
    """Rows may be cut anywhere."""
    return 1, 1


@dataclass(frozen=True)
class Kernel:
    """What is to be known of an op's C kernel.

    op: as nodes name it. calls: its calls, with their parameters.
    rows: which arguments it reads only at the rows that it computes; all others are read whole.
    shared: what `dgqc_KERNEL_prepare` cuts off its memory, in its order, for all rows and threads to read.
    prepared: which arguments only `dgqc_KERNEL_prepare` reads: results may lie in their place.
    scratch: what a kernel by rows, or one that computes a whole value, cuts off the calling thread's memory.
        Both follow from the node and its actual tables alone, so that the memory plan and emission agree.
    together: rows that a block has a multiple of, where that saves time; results don't depend on it.
    lasting: bytes of the program's cache that it keeps from call to call.
    sources: C files beside the runtime's own, to be copied into the emitted project and built with it. What
        ends in .h is included by the program; the parameters' struct must stand there.
    """

    op: Any
    calls: CallsOf
    rows: RowsOf = whole
    shared: SharedOf = nothing_shared
    scratch: ScratchOf = no_scratch
    prepared: PreparedOf = nothing_prepared
    lasting: LastingOf = nothing_lasting
    sources: tuple[Path, ...] = ()
    together: TogetherOf = one_by_one
