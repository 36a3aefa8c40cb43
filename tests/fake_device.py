"""A device that isn't there: it computes on the CPU, and refuses whatever a GPU would refuse.

Its tensors say `fake:0` of themselves and hold a tensor of the CPU's, on which ops run. An op that mixes them
with the CPU's tensors fails as on a GPU, and so does `.numpy()`. So code that forgets to move something fails
here, and code that forgets nothing gives the CPU's bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch._library.custom_ops import OPDEFS
from torch.nn.functional import scaled_dot_product_attention
from torch.utils._pytree import tree_flatten, tree_map_only
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "fake"
CROSSING = ("aten::copy_", "aten::_to_copy", "aten::_copy_from")
"""Ops whose tensors may lie in two places."""
ATTENTION = torch.ops.aten.scaled_dot_product_attention.default
INDEXING = ("aten::index", "aten::index_put_", "aten::_index_put_impl_")
"""Ops that take indices of the CPU's."""


class OnDevice(torch.Tensor):
    """A tensor on the device."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> OnDevice:
        layout = {"strides": held.stride(), "storage_offset": held.storage_offset(), "dtype": held.dtype}
        found = torch.Tensor._make_wrapper_subclass(
            cls, held.shape, device=torch.device(NAME, 0), requires_grad=False, **layout
        )
        found.held = held
        return found

    def __repr__(self, **_: Any) -> str:
        return f"OnDevice({self.held})"

    def tolist(self) -> Any:
        return self.held.tolist()

    def __reduce_ex__(self, _: Any) -> Any:
        raise RuntimeError(f"A tensor of {NAME} would be told to another process.")

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # Torch would take it apart into other sums than the CPU's kernel has.
        if func is scaled_dot_product_attention and not torch.is_grad_enabled():
            return _computed(ATTENTION, args, kwargs or {})
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


class Module:
    """What torch asks of a device's module."""

    free = 2**33

    def is_initialized(self) -> bool:
        return True

    def is_available(self) -> bool:
        return True

    def current_device(self) -> int:
        return 0

    def device_count(self) -> int:
        return 1

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None:
        """Its random numbers are the CPU's."""

    def get_device_name(self, device: Any = None) -> str:
        return "a CPU in disguise"

    def mem_get_info(self, device: Any = None) -> tuple[int, int]:
        return self.free, self.free


def install() -> list[Any]:
    """Makes it torch's accelerator, for as long as the process lives. What it returns has to be kept."""
    _setup_privateuseone_for_python_backend(NAME, Module())
    library = torch.library.Library("aten", "IMPL")
    for name, made in (
        ("empty.memory_format", torch.ops.aten.empty.memory_format),
        ("empty_strided", torch.ops.aten.empty_strided.default),
    ):
        library.impl(name, _factory(made), "PrivateUse1")
    library.impl("_copy_from", _copy_from, "PrivateUse1")
    return [library]


def _factory(made: Any) -> Callable[..., OnDevice]:
    def on_device(*args: Any, **kwargs: Any) -> OnDevice:
        return OnDevice(made(*args, **{**kwargs, "device": torch.device("cpu")}))

    return on_device


def _copy_from(source: torch.Tensor, target: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    _held(target).copy_(_held(source))
    return target


def _held(value: Any) -> Any:
    return value.held if isinstance(value, OnDevice) else value


def _computed(func: Any, args: Any, kwargs: Any) -> Any:
    name = func._schema.name
    if name in OPDEFS:  # an op of ours: what its function does is what is looked at
        return OPDEFS[name]._init_fn(*args, **kwargs)
    tensors = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, torch.Tensor)]
    if name not in CROSSING:
        _refuse_mixed(func, name, args, tensors)
    if name == "aten::_local_scalar_dense":
        return args[0].held.item()
    back = torch.device(kwargs["device"]).type if kwargs.get("device") is not None else NAME
    if "device" in kwargs:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    given, named = tree_map_only(OnDevice, _held, (args, kwargs))
    found = func(*given, **named)
    if back == "cpu" or (not isinstance(args[0] if args else None, OnDevice) and name == "aten::copy_"):
        return found
    # What an op writes in its place is who it was.
    known = {id(_held(one)): one for one in tensors}
    return tree_map_only(
        torch.Tensor, lambda one: known[id(one)] if id(one) in known else OnDevice(one), found
    )


def _refuse_mixed(func: Any, name: str, args: Any, tensors: list[torch.Tensor]) -> None:
    """As a GPU does: single numbers of the CPU's may go with others element by element, and indices."""
    if name in INDEXING:
        tensors = [args[0], *([args[2]] if len(args) > 2 else [])]
    strangers = [one for one in tensors if not isinstance(one, OnDevice)]
    alone = torch.Tag.pointwise in func.tags and all(not one.dim() for one in strangers)
    if strangers and not alone and name not in INDEXING[1:]:
        shapes = [tuple(one.shape) for one in strangers]
        raise RuntimeError(
            f"Expected all tensors to be on the same device: {func} got {shapes} of the CPU's."
        )
