"""Runs a program's kernel calls through ctypes, with dimensions as run-time arguments.

The runtime is compiled once, so that a property test can afford hundreds of graphs. The parameter structs are
read from the header.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dgqc.backends import reference
from dgqc.backends.c.call import STEP, Call, Place, Region, Struct
from dgqc.backends.c.calls import calls_of
from dgqc.backends.c.emit import copied_output, output_of
from dgqc.backends.c.memory import Memory
from dgqc.backends.c.project import runtime_sources
from dgqc.backends.c.scope import Scope
from dgqc.backends.c.tables import Tables, lookup_source
from dgqc.ir.program import Program
from dgqc.passes.plan_memory import PlanMemory

GUARD = 0x5A
"""Fills memory around and inside the arena before a run: nothing may rely on zeros or write outside."""
MARGIN = 256


def compile_runtime(directory: Path, *flags: str) -> ctypes.CDLL:
    """All kernels as one shared library."""
    lookup = directory / "dgqc_lookup.c"
    lookup.write_text(lookup_source())
    sources = [lookup, *(path for path in runtime_sources() if path.suffix == ".c")]
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{sources[1].parent}"]
    # Two calls of the compiler, for two cores.
    calls = [
        subprocess.Popen(["gcc", *strict, *flags, "-fPIC", "-c", *map(str, half)], cwd=directory)
        for half in (sources[::2], sources[1::2])
    ]
    assert all(call.wait() == 0 for call in calls)
    library = directory / "libruntime.so"
    subprocess.run(["gcc", *flags, "-shared", "-o", library, *sorted(directory.glob("*.o"))], check=True)
    return ctypes.CDLL(str(library))


def parameter_types() -> dict[str, type[ctypes.Structure]]:
    """The structs of `dgqc_runtime.h` by name."""
    header = next(path for path in runtime_sources() if path.name == "dgqc_runtime.h").read_text()
    header = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    types: dict[str, type[ctypes.Structure]] = {}
    plain = {"size_t": ctypes.c_size_t, "int": ctypes.c_int}
    for body, name in re.findall(r"typedef struct \{(.*?)\} (\w+);", header, flags=re.S):
        fields: list[tuple[str, Any]] = []
        for declaration in filter(None, (part.strip() for part in body.split(";"))):
            kind, names = re.fullmatch(r"(?:const )?(\w+) (.*)", declaration, flags=re.S).groups()  # type: ignore[union-attr]
            for item in names.split(","):
                field, _, size = item.strip(" *]\n").partition("[")
                base = ctypes.c_void_p if "*" in item else {**plain, **types}[kind]
                fields.append((field, base * int(size) if size else base))
        types[name] = type(name, (ctypes.Structure,), {"_fields_": fields})
    return types


class Kernels:
    """Stands in for compiled emitted programs."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._types = parameter_types()

    def run(self, program: Program, inputs: Mapping[str, torch.Tensor], step: int) -> torch.Tensor:
        """Plans memory, makes the calls and gives the output; checks that nothing else was written."""
        return Run(self, program, inputs, step).result()

    def call(self, call: Call, run: Run) -> None:
        arguments: list[Any] = []
        if call.parameters is not None:
            arguments.append(ctypes.byref(self._filled(self._types[call.struct_type], call.parameters, run)))
        for argument in call.arguments:
            pointer = isinstance(argument, Place) or argument is None
            if pointer:
                arguments.append(ctypes.c_void_p(run.address(argument)))
            else:
                arguments.append(ctypes.c_size_t(run.step if argument == STEP else int(argument)))  # type: ignore[arg-type]
        function = getattr(self._library, f"dgqc_{call.kernel}")
        function.restype = None
        function(*arguments)

    def _filled(self, kind: type[ctypes.Structure], struct: Struct, run: Run) -> ctypes.Structure:
        filled = kind()
        types = dict(kind._fields_)  # type: ignore[arg-type]
        assert set(types) == set(struct.fields), (kind, set(types) ^ set(struct.fields))
        for name, value in struct.fields.items():
            if isinstance(value, Struct):
                setattr(filled, name, self._filled(types[name], value, run))
            elif isinstance(value, tuple):
                setattr(filled, name, types[name](*value))
            elif isinstance(value, Place) or value is None:
                setattr(filled, name, run.address(value))
            else:
                setattr(filled, name, int(value))
        return filled


class Run:
    """One run: the memory it has."""

    def __init__(
        self, kernels: Kernels, program: Program, inputs: Mapping[str, torch.Tensor], step: int
    ) -> None:
        program = PlanMemory().run(program)
        tables = Tables("test")
        memory = Memory(program, tables)
        output = output_of(program)
        self.step, self._inputs, self._keep = step, inputs, []
        self._arena = torch.full((memory.arena_bytes + 2 * MARGIN,), GUARD, dtype=torch.uint8)
        self._start = -(-(self._arena.data_ptr() + 64) // 64) * 64
        self._size = memory.arena_bytes
        value = output.meta["val"]
        self._output = torch.full(tuple(value.shape), GUARD, dtype=value.dtype)
        before = {name: tensor.clone() for name, tensor in inputs.items()}
        scope = Scope(memory, tables, dict(program.report.get("weight-bits", {})))
        for node in program.graph.graph.nodes:
            for call in calls_of(node, scope):
                kernels.call(call, self)
        for call in copied_output(output, memory):
            kernels.call(call, self)
        assert all(torch.equal(before[name], inputs[name]) for name in inputs), "an input was written to"

    def result(self) -> torch.Tensor:
        begin = self._start - self._arena.data_ptr()
        outside = torch.cat([self._arena[:begin], self._arena[begin + self._size :]])
        assert bool((outside == GUARD).all()), "memory outside the arena was written to"
        return self._output

    def address(self, place: Place | None) -> int:
        if place is None:
            return 0
        if place.region is Region.ARENA:
            return self._start + place.offset
        if place.region is Region.OUTPUT:
            return self._output.data_ptr() + place.offset
        if place.region is Region.INPUT:
            return self._inputs[place.base].data_ptr() + place.offset
        assert place.tensor is not None
        self._keep.append(place.tensor)
        rows = self.step * place.step_elements * place.tensor.element_size()
        return place.tensor.data_ptr() + rows + place.offset


def check(kernels: Kernels, program: Program, inputs: dict[str, torch.Tensor]) -> None:
    """Every step of the program, bit by bit."""
    for step in range(len(program.schedule)):
        expected = reference.run(program, inputs, step)
        found = kernels.run(program, inputs, step)
        assert torch.equal(expected, found), (step, (expected != found).sum(), program.graph.graph)
