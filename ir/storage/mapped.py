"""Weights that lie in mapped files: the system reads them when they are needed, and here they are let go.

A library maps a file of weights privately: pages are read when somebody touches them, and stay until the last
tensor goes. Letting go gives the pages back to the system, which keeps them as long as it has room; whoever
touches them again gets the file's content. So it may be done at any time, to weights that nobody has changed.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef

MAPPINGS = Path("/proc/self/maps")

_known: dict[int, tuple[Any, dict[int, int]]] = {}
"""Of mapped storages, by their number while they live: versions of tensors by the address of their first."""
WORTH = 2**20
"""Bytes from which on a file is worth it."""


def remember_mapped(path: Path, tensors: Iterable[torch.Tensor]) -> None:
    """These were just read from a file. Only those are remembered that the system says lie in a mapping of
    it: a library may as well have copied them."""
    ranges = _mappings(path)
    for number in [number for number, (storage, _) in _known.items() if storage.expired()]:
        del _known[number]
    for tensor in tensors:
        first, last = tensor.data_ptr(), tensor.data_ptr() + tensor.nbytes
        if not any(begin <= first and last <= end for begin, end in ranges):
            continue
        _remember(tensor)


def in_file(tensor: torch.Tensor) -> torch.Tensor:
    """The same values in a mapped file without a name, which goes with them; a small tensor as it is."""
    if tensor.nbytes < WORTH or not MAPPINGS.exists():
        return tensor
    with tempfile.NamedTemporaryFile(prefix="dgqc-weight-") as file:
        tensor.detach().contiguous().numpy().tofile(file)
        file.flush()
        found = torch.from_file(file.name, shared=False, size=tensor.numel(), dtype=tensor.dtype)
    _remember(found)
    return found.reshape(tensor.shape)


def _remember(tensor: torch.Tensor) -> None:
    storage = tensor.untyped_storage()
    # A weak reference keeps the number from being given to another storage.
    weak: Any = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
    _, versions = _known.setdefault(storage._cdata, (weak, {}))
    versions[tensor.data_ptr()] = tensor._version


def let_go(*tensors: torch.Tensor) -> None:
    """Gives back the memory of those that lie in mapped files and are as these say; of others nothing.

    They stay as they are: who reads them again reads the file.
    """
    for tensor in tensors:
        _, versions = _known.get(tensor.untyped_storage()._cdata, (None, {}))
        if tensor.is_contiguous() and versions.get(tensor.data_ptr()) == tensor._version:
            _give_back(tensor.data_ptr(), tensor.nbytes)


@contextmanager
def letting_go(model: nn.Module) -> Iterator[None]:
    """Inside, each module of a model lets go of its own weights once it has answered: a call has those of a
    layer or two in memory, and not the whole file."""

    def answered(module: nn.Module, *_: Any) -> None:
        let_go(*module.parameters(recurse=False))

    hooks = [module.register_forward_hook(answered) for module in model.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def let_go_of_freed() -> None:
    """Gives back what was freed: glibc keeps what each thread allocated and freed for that thread, which is
    gigabytes between two passes over a large model. Elsewhere nothing happens."""
    trim = getattr(_libc(), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(ctypes.c_size_t(0))


def _mappings(path: Path) -> list[tuple[int, int]]:
    """Addresses at which a file is mapped privately."""
    try:
        lines = MAPPINGS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # Not every system says.
        return []
    parts = [line.split(maxsplit=5) for line in lines]
    own = (part for part in parts if len(part) == 6 and part[5] == str(path.resolve()) and part[1][3] == "p")
    return [(int(begin, 16), int(end, 16)) for begin, _, end in (part[0].partition("-") for part in own)]


def _give_back(address: int, size: int) -> None:
    """The whole pages of a private mapping that nobody has written to."""
    first = -(-address // mmap.PAGESIZE) * mmap.PAGESIZE
    last = (address + size) // mmap.PAGESIZE * mmap.PAGESIZE
    if first < last:
        # What the system refuses stays in memory, where it was.
        _libc().madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), mmap.MADV_DONTNEED)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
