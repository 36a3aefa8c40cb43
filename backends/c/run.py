"""Emitted C, compiled by the system's compiler and called through ctypes."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import torch

from ...ir.errors import DgqcError
from .project import INTERFACE, Signature

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=c99", "-O3", "-march=native", "-fPIC")
DATA_FLAGS = ("-std=c99", "-O0", "-fPIC")
"""Constants have nothing to optimize."""
PROCESSES = 2
ARENA_ALIGNMENT = 64
STATUS = ("ok", "a null pointer", "step out of range", "arena misaligned", "arena too small")


def find_compiler(compiler: str | None = None) -> str:
    """Path of a C compiler: the one asked for, `$CC`, or the first of cc, gcc, clang that is there."""
    wanted = [compiler] if compiler else [os.environ.get("CC", ""), *COMPILERS]
    found = next((path for name in wanted if name and (path := shutil.which(name))), None)
    if found is None:
        raise DgqcError(
            f"No C compiler: {compiler or 'cc, gcc and clang'} can't be found; install one, or set CC."
        )
    return found


@lru_cache(maxsize=8)
def thread_flags(command: str) -> tuple[str, ...]:
    """What makes a compiler build for several threads; nothing where it can't."""
    source = b"#include <omp.h>\nint threads(void) { return omp_get_max_threads(); }\n"
    with TemporaryDirectory() as folder:
        tried = [
            command,
            "-fopenmp",
            "-fPIC",
            "-shared",
            "-x",
            "c",
            "-",
            "-o",
            str(Path(folder) / "tried.so"),
        ]
        done = subprocess.run(tried, input=source, capture_output=True, check=False)
    return () if done.returncode else ("-fopenmp",)


def build(directory: Path, *, compiler: str | None = None) -> Path:
    """Compiles an emitted folder into a shared library and gives its path inside the folder.

    Built anew only when a source, the compiler or a flag has changed.
    Raises DgqcError when there is no compiler, or with the compiler's first error line when it fails.
    """
    signature = read_signature(directory)
    command = find_compiler(compiler)
    threads = thread_flags(command)
    sources = [directory / "src" / f"{name}.c" for name in signature.sources]
    target = directory / "build" / _digest(directory, command, threads)
    library = target / f"lib{signature.name}.so"
    if library.exists():
        return library
    target.mkdir(parents=True, exist_ok=True)

    def compiled(source: Path) -> Path:
        flags = DATA_FLAGS if source.stem == f"{signature.name}_weights" else (*FLAGS, *threads)
        place = target / f"{source.stem}.o"
        include = (f"-I{directory / 'include'}", f"-I{directory / 'src'}")
        _run([command, *flags, *include, "-c", str(source), "-o", str(place)])
        return place

    with ThreadPoolExecutor(PROCESSES) as pool:
        objects = list(pool.map(compiled, sources))
    # Renamed when whole: another process may be building the same.
    unfinished = target / f"unfinished-{os.getpid()}.so"
    _run([command, "-shared", *threads, *map(str, objects), "-o", str(unfinished)])
    unfinished.replace(library)
    for place in objects:
        place.unlink(missing_ok=True)
    return library


def _digest(directory: Path, command: str, threads: tuple[str, ...]) -> str:
    seen = hashlib.sha256()
    version = subprocess.run([command, "--version"], capture_output=True, text=True, check=False).stdout
    seen.update(" ".join((command, version, *FLAGS, *threads)).encode())
    for path in sorted([*(directory / "src").iterdir(), *(directory / "include").iterdir()]):
        seen.update(path.name.encode())
        seen.update(path.read_bytes())
    return seen.hexdigest()[:16]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.splitlines() or ["it says nothing"]
        first = next((line for line in lines if "error" in line), lines[0])
        raise DgqcError(f"{command[0]} failed with exit code {done.returncode}: {first}")


def read_signature(directory: Path) -> Signature:
    """What `emit` wrote about the program. Raises DgqcError when the folder holds none."""
    path = directory / INTERFACE
    if not path.exists():
        raise DgqcError(
            f"{directory} holds no emitted C program ({INTERFACE} is missing); emit one there first."
        )
    return Signature.from_json(path.read_text())


class Handle(ctypes.Structure):
    """The program's own struct, as its header has it."""

    _fields_: ClassVar = [("arena", ctypes.c_void_p), ("threads", ctypes.c_size_t)]


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
        self._initialize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
        self._refuse(self._initialize(ctypes.byref(self._program), arena, size))
        if threads is not None and thread_flags(find_compiler(compiler)):
            self._program.threads = threads

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
