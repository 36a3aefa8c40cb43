"""The tensors of a graph module by name."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import fx, nn


def constant(graph: nn.Module, name: str) -> torch.Tensor:
    """The constant at an attribute path (`down_blocks.0.conv.weight`), as `get_attr` nodes name it.

    Raises AttributeError when there is none.
    """
    path, _, leaf = name.rpartition(".")
    value = getattr(graph.get_submodule(path), leaf)
    if not isinstance(value, torch.Tensor):
        raise AttributeError(f"{name} is not a tensor")
    return value


def constants(graph: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Every parameter and buffer with its attribute path, shared ones under each of their names."""
    yield from graph.named_parameters(remove_duplicate=False)
    yield from graph.named_buffers(remove_duplicate=False)


def used_constants(graph: fx.GraphModule) -> frozenset[str]:
    """The attribute paths that the graph reads."""
    return frozenset(str(node.target) for node in graph.graph.nodes if node.op == "get_attr")


def equal_tensors(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether they have the same type, shape and values; on the meta device there are no values to differ."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return one.is_meta or one.data_ptr() == other.data_ptr() or torch.equal(one, other)


def all_finite(values: torch.Tensor) -> bool:
    """Whether no number is NaN or infinite: such a one is an extreme, or makes both NaN, so that one pass
    without a copy tells. values: of a floating type."""
    return not values.numel() or all(bool(end.isfinite()) for end in torch.aminmax(values))


def share_constants(graph: fx.GraphModule, first: fx.GraphModule) -> None:
    """Gives a graph another one's constants in the place of its own that have their names and values."""
    held = dict(constants(first))
    for name, value in list(constants(graph)):
        if name in held and equal_tensors(value, held[name]):
            path, _, leaf = name.rpartition(".")
            setattr(graph.get_submodule(path), leaf, held[name])


def compressed(values: torch.Tensor) -> torch.Tensor:
    """The same values, axes along which nothing changes shrunk to size 1."""
    for axis in range(values.dim()):
        first = values.narrow(axis, 0, 1)
        if bool((values == first).all()):
            values = first
    return values.contiguous()
