"""Activations of all samples between two units, in memory up to a budget and in files beyond it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy
import torch

from ....ir.storage.leftovers import temporary_folder

Key = tuple[int, str, str]
"""(chunk of samples, network, node)"""


class ActivationStore:
    """Tensors by key. A context manager: its temporary files go when it ends."""

    def __init__(self, budget: float) -> None:
        """budget: bytes that may lie in memory."""
        self._budget, self._used = budget, 0
        self._memory: dict[Key, torch.Tensor] = {}
        self._files: dict[Key, Path] = {}
        self._files_stay = ExitStack()
        self._folder = self._files_stay.enter_context(temporary_folder("samples"))
        self._count = 0
        self._rows: dict[Key, int] = {}

    def __enter__(self) -> ActivationStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files_stay.close()

    def put(self, key: Key, value: torch.Tensor) -> None:
        """Keeps a float tensor."""
        # A view of a slice would keep all of its storage.
        value = value.detach().contiguous()
        if value.untyped_storage().nbytes() > value.nbytes:
            value = value.clone()
        self.drop(key)
        self._rows[key] = len(value)
        if self._used + value.nbytes <= self._budget:
            self._memory[key] = value
            self._used += value.nbytes
            return
        path = self._folder / f"{self._count}.npy"
        self._count += 1
        numpy.save(path, value.numpy(), allow_pickle=False)
        self._files[key] = path

    def get(self, key: Key, rows: torch.Tensor | None = None) -> torch.Tensor:
        """The tensor, or some of its samples."""
        if key in self._memory:
            value = self._memory[key]
            return value if rows is None else value[rows]
        stored = numpy.load(self._files[key], mmap_mode="r", allow_pickle=False)
        return torch.from_numpy(numpy.array(stored if rows is None else stored[rows.numpy()]))

    def drop(self, key: Key) -> None:
        """Forgets it, if it is there."""
        value = self._memory.pop(key, None)
        if value is not None:
            self._used -= value.nbytes
        path = self._files.pop(key, None)
        if path is not None:
            path.unlink()

    def rows(self, key: Key) -> int:
        """The size of the tensor's first dimension."""
        return self._rows[key]

    @property
    def in_files(self) -> int:
        """How many tensors lie in files."""
        return len(self._files)
