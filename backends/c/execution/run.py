"""An emitted program, compiled and called through ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from pathlib import Path

import torch

from ....ir.caching import FeatureCache
from ....ir.drawing import Drawing, Watcher, ignore
from ....ir.errors import DgqcError
from ....ir.forks import call
from ...checked_input import checked_input
from .arenas import ARENA_ALIGNMENT, Arenas, CachingHandle, Handle
from .arguments import written
from .build import Built, build
from .constants import constants_of
from .processors import may_use_matrix_units, usable_processors

STATUS = (
    "ok",
    "a null pointer",
    "step out of range",
    "arena misaligned",
    "arena too small",
    "weights misaligned",
    "weights of another program, or cut off",
    "weights damaged",
    "more threads than its arena has room for, or none",
    "weights can't be read, or end too early",
)


class CProgram:
    """An emitted program, compiled and loaded.

    It may be called by several Python threads at once, each call in an arena of its own, and by the children
    of a process that forks.
    """

    def __init__(
        self, emitted: Path | Built, *, compiler: str | None = None, threads: int | None = None
    ) -> None:
        """emitted: a folder, which is built if need be, or what was built of one. threads: that a run uses,
        all this process may run on where left out; one where the compiler has no OpenMP. Results don't depend
        on it.

        Raises DgqcError as `build` does, and for less than one thread.
        """
        if threads is not None and threads < 1:
            raise DgqcError(f"A program can't run on {threads} threads; give at least 1.")
        built = emitted if isinstance(emitted, Built) else build(emitted, compiler=compiler)
        self.signature = built.signature
        library = ctypes.CDLL(str(built.library.resolve()))
        name, pointers = self.signature.name, len(self.signature.inputs) + 1
        self._function = getattr(library, f"{name}_run")
        self._function.restype = ctypes.c_int
        self.library = library
        self._function.argtypes = [ctypes.c_void_p, ctypes.c_int32] + [ctypes.c_void_p] * pointers
        most = threads or usable_processors()
        size = self.signature.shared_bytes + most * self.signature.thread_bytes
        self._constants = constants_of(library, self.signature, built.weights)
        kind = CachingHandle if self.signature.cache_bytes else Handle
        self._arenas = Arenas(size, self._constants.place, kind)
        getattr(library, f"{name}_use_matrix_units")(int(may_use_matrix_units()))
        initialize = getattr(library, f"{name}_init")
        region = (ctypes.c_void_p, ctypes.c_size_t)
        initialize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, self._constants.second, *region]
        handle = self._arenas.first()
        weights = (self._constants.place(), self._constants.number)
        self._refuse(initialize(ctypes.byref(handle), *weights, handle.arena, self._arenas.size))
        if threads is not None and built.threads:
            handle.threads = threads

    def run(
        self, inputs: Mapping[str, torch.Tensor], step: int, cache: FeatureCache | None = None
    ) -> torch.Tensor:
        """One UNet call. inputs: int16 tensors by name, in the program's shapes. Returns int16.

        cache: of the drawing, for a program that has shallow calls; without one the call is full.
        Raises DgqcError for a missing input, a wrong type or shape, or a step outside the schedule.
        """
        given = [checked_input(inputs, name, shape) for name, shape in self.signature.inputs]
        output = torch.empty(self.signature.output, dtype=torch.int16)
        if not 0 <= step < self.signature.steps:
            raise DgqcError(
                f"Step {step} is outside the program's schedule, 0 .. {self.signature.steps - 1}."
            )
        pointers = (*(tensor.data_ptr() for tensor in given), output.data_ptr())
        with self._arenas.one() as handle:
            memory = self._kept_by(handle, cache)
            self._refuse(call(self._function, ctypes.byref(handle), step, *pointers))
            if cache is not None:
                cache.held = memory
        return output

    def _kept_by(self, handle: Handle, cache: FeatureCache | None) -> torch.Tensor | None:
        """Gives a call the memory of its drawing's cache; new memory holds nothing."""
        if not isinstance(handle, CachingHandle):
            return None
        memory = None if cache is None else cache.held
        if memory is None:
            memory = torch.zeros(self.signature.cache_bytes + ARENA_ALIGNMENT, dtype=torch.uint8)
        handle.keep_at(-(-memory.data_ptr() // ARENA_ALIGNMENT) * ARENA_ALIGNMENT)
        return memory

    def _refuse(self, status: int) -> None:
        if status:
            raise DgqcError(f"The C program {self.signature.name} refused to run: {STATUS[status]}.")

    def draw(self, drawing: Drawing, progress: Watcher = ignore) -> torch.Tensor:
        """A whole drawing. Returns the int16 picture in Q12.

        progress: told after each step. Raises DgqcError for a program without a loop, for a call that no
        picture can begin with, and as `run` does.
        """
        if not self.signature.draw_bytes:
            raise DgqcError("The C program has no denoising loop; compile it with one.")
        given = written(drawing, self.signature, progress)
        output = torch.empty(self.signature.output, dtype=torch.int16)
        memory = torch.empty(self.signature.draw_bytes // 8, dtype=torch.int64)
        # A function of its own: another one's types of arguments would be shared with other threads.
        function = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 4)(
            (f"{self.signature.name}_denoise", self.library)
        )
        pointers = (memory.data_ptr(), ctypes.addressof(given.structure), output.data_ptr())
        with self._arenas.one() as handle:
            if isinstance(handle, CachingHandle):
                handle.keep_at(handle.arena + self.signature.cache_offset)
            self._refuse(call(function, ctypes.addressof(handle), *pointers))
        return output
