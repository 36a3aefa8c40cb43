"""What a fusion group holds in the memory that each thread has for itself."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import fx

from ....ir.views import View
from ..kernels.registry import scratch_bytes
from ..kernels.value_rows import row_count, value_bytes
from .memory_plan import Buffer
from .packing import pack, size_of
from .rows import group_rows


def results(node: fx.Node) -> Iterator[tuple[str, torch.Tensor]]:
    """A node's values by their names: one, or several numbered ones."""
    value = node.meta["val"]
    if isinstance(value, list | tuple):
        yield from ((f"{node.name}.{number}", part) for number, part in enumerate(value))
    else:
        yield node.name, value


def readers(node: fx.Node, views: dict[str, View]) -> Iterator[tuple[str, fx.Node]]:
    """Who reads a node's values, views passed through: the value's name with the reader, for each."""
    for user in node.users:
        view = views.get(user.name)
        if view is None:
            yield node.name, user
        else:
            yield from ((view.of, reader) for _, reader in readers(user, views))


def inner_values(group: list[fx.Node], views: dict[str, View]) -> tuple[str, ...]:
    """The values of a group that nobody outside it reads."""
    inside = {node.name for node in group}
    found = []
    for node in group:
        outside = {name for name, reader in readers(node, views) if reader.name not in inside}
        found += [name for name, _ in results(node) if name not in outside]
    return tuple(found)


def thread_buffers(
    group: list[fx.Node], inner: tuple[str, ...], rows: int, views: dict[str, View]
) -> list[Buffer]:
    """The inner values and the kernels' scratch memory for so many rows, packed; lives are places in the
    group."""
    places, whole = {node.name: place for place, node in enumerate(group)}, group_rows(group)
    buffers = []
    for place, node in enumerate(group):
        last: dict[str, int] = {}
        for name, reader in readers(node, views):
            last[name] = max(last.get(name, place), places.get(reader.name, place))
        for name, value in results(node):
            if name in inner:
                buffers.append(Buffer(name, rows * value_bytes(value) // whole, place, last.get(name, place)))
        if scratch := scratch_bytes(node, rows * row_count(node) // whole):
            buffers.append(Buffer(f"{node.name}.scratch", scratch, place, place))
    return pack(buffers)


def thread_bytes(group: list[fx.Node], inner: tuple[str, ...], rows: int, views: dict[str, View]) -> int:
    """Bytes of a thread's memory for blocks of so many rows."""
    return size_of(thread_buffers(group, inner, rows, views))
