"""Every op's kernel: those of this package, and those that other packages register."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import fx

from ....ir.errors import UnsupportedOperation
from ....ir.nodes import arguments
from ..layout.memory_plan import aligned
from . import attend, cached, images, matmul, moves, norms, pairs, pointwise, products, softmax, tokens
from .context import EmissionContext
from .kernel import Kernel
from .kernel_call import KernelCall
from .value_rows import part

FAMILIES = (pointwise, products, matmul, softmax, attend, norms, pairs, images, moves, tokens, cached)
"""The modules that hold kernels, each with its `KERNELS`."""

_kernels: dict[Any, Kernel] = {kernel.op: kernel for family in FAMILIES for kernel in family.KERNELS}


def register_kernel(kernel: Kernel) -> Kernel:
    """Makes a kernel of another package known. Raises ValueError where its op has one already."""
    if kernel.op in _kernels:
        raise ValueError(f"{kernel.op} has a C kernel already")
    _kernels[kernel.op] = kernel
    return kernel


def kernels() -> Mapping[Any, Kernel]:
    """All kernels by their ops. Views and `at_step` need none: they are places in memory."""
    return dict(_kernels)


def kernel_of(node: fx.Node) -> Kernel | None:
    """The kernel of a node's op; None where it has none."""
    return _kernels.get(node.target) if node.op == "call_function" else None


def calls_of(node: fx.Node, context: EmissionContext) -> list[KernelCall]:
    """The kernel calls that compute a node; none for a view. Raises UnsupportedOperation for unknown ops."""
    if node.op != "call_function" or context.places.is_view(node):
        return []
    kernel = kernel_of(node)
    if kernel is None:
        raise UnsupportedOperation(
            f"{node.name} calls {node.target}, which has no C kernel; add one (docs/c-backend.md), or lower"
            " it to the ops of the integer level."
        )
    calls = kernel.calls(node, arguments(node), context)
    return calls if isinstance(calls, list) else [calls]


def row_arguments(node: fx.Node) -> tuple[str, ...] | None:
    """Names of the arguments that a node reads row by row; None where it is computed whole."""
    kernel = kernel_of(node)
    return None if kernel is None or not part(node).dim() else kernel.rows(node, arguments(node))


def rows_together(node: fx.Node) -> tuple[int, int]:
    """Rows of a node that stay in one block, and the fewest that are worth one, whatever the memory."""
    kernel = kernel_of(node)
    return (1, 1) if kernel is None else kernel.together(node, arguments(node))


def shared_bytes(node: fx.Node) -> int:
    """Bytes that a node's kernel prepares once a call, for all rows and threads; 0 where it prepares
    nothing."""
    kernel = kernel_of(node)
    return 0 if kernel is None else _taken(kernel.shared(node, arguments(node)))


def scratch_bytes(node: fx.Node, rows: int) -> int:
    """Bytes of scratch memory that a node's kernel needs for blocks of so many rows; 0 for ops without
    any."""
    kernel = kernel_of(node)
    return 0 if kernel is None else _taken(kernel.scratch(node, arguments(node), rows))


def lasting_bytes(node: fx.Node) -> int:
    """Bytes that a node's kernel keeps from call to call."""
    kernel = kernel_of(node)
    return 0 if kernel is None else kernel.lasting(node, arguments(node))


def sources_of(nodes: Iterable[fx.Node]) -> tuple[Path, ...]:
    """The C files that these nodes' kernels need beside the runtime's own, each once."""
    used = (kernel_of(node) for node in nodes)
    return tuple(dict.fromkeys(path for kernel in used if kernel is not None for path in kernel.sources))


def only_own_kernels(nodes: Iterable[fx.Node]) -> bool:
    """Whether no kernel of another package computes any of these nodes."""
    own = {kernel.op for family in FAMILIES for kernel in family.KERNELS}
    return all(kernel.op in own for node in nodes if (kernel := kernel_of(node)) is not None)


def _taken(sizes: tuple[int, ...]) -> int:
    """A kernel cuts its buffers off its memory one after another, each rounded up (`dgqc_take`)."""
    return sum(aligned(size) for size in sizes)
