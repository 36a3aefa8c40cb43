"""An emitted program, compiled and called through ctypes."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import torch

from ...ir.errors import DgqcError
from .build import build, find_compiler, read_signature, thread_flags
from .storage import Storage, weights_file

ARENA_ALIGNMENT = 64
STATUS = (
    "ok",
    "a null pointer",
    "step out of range",
    "arena misaligned",
    "arena too small",
    "weights misaligned",
    "weights of another program, or cut off",
    "weights damaged",
)


class Handle(ctypes.Structure):
    """The program's own struct, as its header has it."""

    _fields_: ClassVar = [
        ("weights", ctypes.c_void_p),
        ("arena", ctypes.c_void_p),
        ("threads", ctypes.c_size_t),
    ]


class CProgram:
    """An emitted program, compiled and loaded. One run at a time: its arena is its own."""

    def __init__(self, directory: Path, *, compiler: str | None = None, threads: int | None = None) -> None:
        """Builds the folder if need be. threads: that a run uses, all this process may run on where left out;
        one where the compiler has no OpenMP. Results don't depend on it.

        Raises DgqcError as `build` does.
        """
        self.signature = read_signature(directory)
        library = ctypes.CDLL(str(build(directory, compiler=compiler).resolve()))
        name, pointers = self.signature.name, len(self.signature.inputs) + 1
        self._function = getattr(library, f"{name}_run")
        self._function.restype = ctypes.c_int
        self._library = library
        self._function.argtypes = [ctypes.c_void_p, ctypes.c_int32] + [ctypes.c_void_p] * pointers
        most = threads or len(os.sched_getaffinity(0))
        size = self.signature.shared_bytes + most * self.signature.thread_bytes
        self._memory = torch.zeros(size + ARENA_ALIGNMENT, dtype=torch.uint8)
        arena = -(-self._memory.data_ptr() // ARENA_ALIGNMENT) * ARENA_ALIGNMENT
        self._program = Handle()
        self._initialize = getattr(library, f"{name}_init")
        region = (ctypes.c_void_p, ctypes.c_size_t)
        self._initialize.argtypes = [ctypes.c_void_p, *region, *region]
        weights = self._weights(directory)
        self._refuse(self._initialize(ctypes.byref(self._program), *weights, arena, size))
        if threads is not None and thread_flags(find_compiler(compiler)):
            self._program.threads = threads

    def _weights(self, directory: Path) -> tuple[int, int]:
        """Where the constants are, and how many bytes. Pages of a file are read when they are first used."""
        name, size = self.signature.name, self.signature.weights_bytes
        if self.signature.storage is not Storage.FILE:
            return ctypes.addressof(ctypes.c_char.in_dll(self._library, f"{name}_weights")), size
        path = directory / weights_file(name)
        found = path.stat().st_size if path.is_file() else 0
        if found != size:
            raise DgqcError(
                f"{path} should hold the program's {size} bytes of constants, but "
                f"{f'holds {found}' if found else 'is missing'}; copy or compile it again."
            )
        self._mapped = torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8)
        return self._mapped.data_ptr(), size

    def run(self, inputs: Mapping[str, torch.Tensor], step: int) -> torch.Tensor:
        """One UNet call. inputs: int16 tensors by name, in the program's shapes. Returns int16.

        Raises DgqcError for a missing input, a wrong type or shape, or a step outside the schedule.
        """
        given = [_checked(inputs, name, shape) for name, shape in self.signature.inputs]
        output = torch.empty(self.signature.output, dtype=torch.int16)
        if not 0 <= step < self.signature.steps:
            raise DgqcError(
                f"Step {step} is outside the program's schedule, 0 .. {self.signature.steps - 1}."
            )
        pointers = (*(tensor.data_ptr() for tensor in given), output.data_ptr())
        self._refuse(self._function(ctypes.byref(self._program), step, *pointers))
        return output

    def _refuse(self, status: int) -> None:
        if status:
            raise DgqcError(f"The C program {self.signature.name} refused to run: {STATUS[status]}.")

    def draw(self, noise: torch.Tensor, conditions: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """A whole drawing, the noise and the picture in Q12.

        noise: int16 of the sample's shape. conditions: the other inputs by name, int16.
        Returns the int16 picture. Raises DgqcError for a program without a loop and as `run` does.
        """
        if not self.signature.draw_bytes:
            raise DgqcError("The C program has no denoising loop; compile it with one.")
        (sample, shape), *others = self.signature.inputs
        given = [_checked({sample: noise}, sample, shape)]
        given += [_checked(conditions, name, shape) for name, shape in others]
        output = torch.empty(self.signature.output, dtype=torch.int16)
        memory = torch.empty(self.signature.draw_bytes // 8, dtype=torch.int64)
        function = getattr(self._library, f"{self.signature.name}_draw")
        function.restype = ctypes.c_int
        function.argtypes = [ctypes.c_void_p] * (len(given) + 3)
        pointers = (memory.data_ptr(), *(tensor.data_ptr() for tensor in given), output.data_ptr())
        self._refuse(function(ctypes.byref(self._program), *pointers))
        return output


def _checked(inputs: Mapping[str, torch.Tensor], name: str, shape: tuple[int, ...]) -> torch.Tensor:
    tensor = inputs.get(name)
    if tensor is None:
        raise DgqcError(f"The input {name} is missing; the program takes it as int16 of shape {shape}.")
    if tensor.dtype != torch.int16 or tuple(tensor.shape) != shape:
        raise DgqcError(
            f"The input {name} must be int16 of shape {shape} but is {tensor.dtype} of {tuple(tensor.shape)}."
        )
    return tensor.contiguous()
