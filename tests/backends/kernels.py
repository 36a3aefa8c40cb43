"""Runs a program's fusion groups through ctypes, with dimensions as run-time arguments, in blocks of random
sizes.

The runtime is compiled once, so that a property test can afford hundreds of graphs. The parameter structs are
read from the header.
"""

from __future__ import annotations

import ctypes
import hashlib
import re
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import torch
from filelock import FileLock

from dgqc.backends import reference
from dgqc.backends.c.emission.constants import ConstantBlock
from dgqc.backends.c.emission.emit import copied_output, output_of
from dgqc.backends.c.emission.literals import lookup_source
from dgqc.backends.c.emission.places import Places
from dgqc.backends.c.emission.project import runtime_sources
from dgqc.backends.c.execution.processors import instruction_sets
from dgqc.backends.c.execution.toolchain import FLAGS, find_toolchain
from dgqc.backends.c.kernels.context import EmissionContext
from dgqc.backends.c.kernels.kernel_call import ROWS, STEP, Argument, KernelCall, MemoryRegion, Place, Struct
from dgqc.backends.c.kernels.registry import calls_of
from dgqc.backends.c.kernels.runtime_header import defined
from dgqc.backends.c.kernels.value_rows import row_count
from dgqc.backends.c.layout.fuse_rows import FuseRows
from dgqc.backends.c.layout.fusion_groups import FusionGroup
from dgqc.backends.c.layout.memory_plan import MemoryPlan
from dgqc.backends.c.layout.plan import layout_of
from dgqc.backends.c.layout.plan_memory import PlanMemory
from dgqc.ir.caching import cached_node
from dgqc.ir.nodes import argument as argument_of
from dgqc.ir.program import Program

GUARD = 0x5A
"""Fills memory around and inside the arena before a run: nothing may rely on zeros or write outside."""
MARGIN = 256
BUILT = Path(__file__).parents[2] / "build" / "tests-kernels"


STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fPIC")


def native() -> tuple[str, ...]:
    """As programs are built for this machine, whose objects are the same then."""
    return (*FLAGS, *find_toolchain().threads)


@dataclass(frozen=True)
class Variant:
    """A way to compile the runtime, by all its flags. Files that mention `word`, or include one that does,
    get `flags` beside those of `base`, and the others are the base's."""

    base: tuple[str, ...]
    flags: tuple[str, ...] = ()
    word: str = ""


def compile_runtime(variant: Variant) -> ctypes.CDLL:
    """All kernels as one shared library, each compiled once for all processes that test at the same time."""
    files = runtime_sources()
    texts = {path.name: path.read_text() for path in files} | {"dgqc_lookup.c": lookup_source()}
    named = [name + texts[name] for name in sorted(texts)]
    own = hashlib.sha256("\0".join([instruction_sets("gcc", variant.base), *named]).encode())
    sources = BUILT / own.hexdigest()[:16]
    different = {name for name in texts if variant.word and _mentions(name, variant.word, texts)}
    BUILT.mkdir(parents=True, exist_ok=True)
    with FileLock(BUILT / f"{sources.name}.lock"), ThreadPoolExecutor(2) as pool:  # for two cores
        sources.mkdir(exist_ok=True)
        for name, text in texts.items():
            (sources / name).write_text(text)

        def compiled(name: str) -> Path:
            flags = (*variant.base, *(variant.flags if name in different else ()))
            place = BUILT / hashlib.sha256(repr((name, flags, own.digest())).encode()).hexdigest()[:16]
            if not place.exists():
                made = place.with_suffix(".part")
                subprocess.run(["gcc", *flags, "-c", str(sources / name), "-o", str(made)], check=True)
                made.rename(place)
            return place

        objects = list(pool.map(compiled, (name for name in texts if name.endswith(".c"))))
        library = BUILT / f"{hashlib.sha256(repr(objects).encode()).hexdigest()[:16]}.so"
        if not library.exists():
            made = library.with_suffix(".made")
            command = ["gcc", "-shared", *variant.base, "-o", str(made), "-x", "none", *map(str, objects)]
            subprocess.run(command, check=True)
            made.rename(library)
    return ctypes.CDLL(str(library))


def _mentions(name: str, word: str, texts: Mapping[str, str]) -> bool:
    """Whether a file has the word, or includes one that has."""
    seen, waiting = set[str](), [name]
    while waiting:
        text = texts[waiting.pop()]
        included = set(re.findall(r'#include "(\w+\.h)"', text)) & texts.keys() - seen
        seen |= included
        waiting += included
        if word in text:
            return True
    return False


def parameter_types() -> dict[str, type[ctypes.Structure]]:
    """The structs that kernels and the denoising loop take, by name."""
    texts = {path.name: path.read_text() for path in runtime_sources()}
    header = "".join(texts[name] for name in ("dgqc_denoising.h", "dgqc_runtime.h", "dgqc_forms.h"))
    header = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    types: dict[str, type[ctypes.Structure]] = {}
    plain = {"size_t": ctypes.c_size_t, "int": ctypes.c_int, "int32_t": ctypes.c_int32}
    for body, name in re.findall(r"typedef struct \{(.*?)\} (\w+);", header, flags=re.S):
        fields: list[tuple[str, Any]] = []
        for declaration in filter(None, (part.strip() for part in body.split(";"))):
            kind, names = re.fullmatch(r"(?:const )?(\w+) (.*)", declaration, flags=re.S).groups()  # type: ignore[union-attr]
            for item in names.split(","):
                field, _, size = item.strip(" *]\n").partition("[")
                base = ctypes.c_void_p if "*" in item else {**plain, **types}[kind]
                count = defined(size) if size.startswith("DGQC_") else int(size or 1)
                fields.append((field, base * count if size else base))
        types[name] = type(name, (ctypes.Structure,), {"_fields_": fields})
    return types


class Kernels:
    """Stands in for compiled emitted programs: the runtime, built once."""

    def __init__(self, name: str, library: ctypes.CDLL) -> None:
        self.name, self._library = name, library
        self._types = parameter_types()

    def run(self, calls: Calls, inputs: Mapping[str, torch.Tensor], step: int) -> torch.Tensor:
        """Makes the calls and gives the output; checks that nothing else was written."""
        return Run(self, calls, inputs, step).result()

    def call(self, kernel: str, call: KernelCall, arguments: tuple[Argument, ...], run: Run) -> None:
        """One function of a kernel."""
        given: list[Any] = []
        if call.parameters is not None:
            given.append(ctypes.byref(self._filled(self._types[call.struct_type], call.parameters, run)))
        for argument in arguments:
            if isinstance(argument, Place) or argument is None:
                given.append(ctypes.c_void_p(run.address(argument)))
            elif argument == ROWS:
                given.append(Rows(*(run.finer * row for row in run.rows)))
            else:
                given.append(ctypes.c_size_t(run.step if argument == STEP else int(argument)))
        function = getattr(self._library, f"dgqc_{kernel}")
        function.restype = None
        function(*given)

    def _filled(self, kind: type[ctypes.Structure], struct: Struct, run: Run) -> ctypes.Structure:
        filled = kind()
        types = dict(kind._fields_)  # type: ignore[arg-type]
        # As in C, what an initializer leaves out is 0.
        assert set(types) >= set(struct.fields), (kind, set(struct.fields) - set(types))
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


class Rows(ctypes.Structure):
    """`dgqc_rows`."""

    _fields_: ClassVar = [("first", ctypes.c_size_t), ("count", ctypes.c_size_t)]


@dataclass(frozen=True)
class Calls:
    """What a program calls, whatever built it: with each call of a group, how many of its rows make one of
    the group's, and at the end what copies the output."""

    program: Program
    plan: MemoryPlan
    groups: Sequence[tuple[FusionGroup, Sequence[tuple[int, KernelCall]]]]
    copies: Sequence[KernelCall]


def calls_of_all(program: Program) -> Calls:
    """Emits a program with fusion groups and a memory plan, but for the text."""
    constants = ConstantBlock()
    places = Places(program, constants)
    context = EmissionContext(places, constants, dict(program.report.get("weight-bits", {})))
    nodes = {node.name: node for node in program.graph.graph.nodes}
    fusion = layout_of(program).fusion
    assert fusion is not None
    groups = []
    for group in fusion.groups:
        within, calls = replace(context, group_rows=max(1, group.rows)), list[tuple[int, KernelCall]]()
        for node in (nodes[name] for name in group.nodes):
            finer = row_count(node) // group.rows if group.block else 1
            calls += [(finer, call) for call in calls_of(node, within)]
        groups.append((group, calls))
    return Calls(program, places.plan, groups, list(copied_output(output_of(program), places)))


class Run:
    """One run: the memory it has. Blocks are as large as it pleases, and come in any order."""

    def __init__(self, kernels: Kernels, calls: Calls, inputs: Mapping[str, torch.Tensor], step: int) -> None:
        self.step, self._inputs, self._keep = step, inputs, []
        self.rows, self.finer, self._random = (0, 0), 1, Random(step)
        self._shared = calls.plan.shared_bytes
        self._size = calls.plan.arena_bytes(1)
        self._arena = torch.full((self._size + 2 * MARGIN,), GUARD, dtype=torch.uint8)
        self._start = -(-(self._arena.data_ptr() + 64) // 64) * 64
        cache, program = calls.plan.cache, calls.program
        self._cache = torch.zeros(cache.bytes if cache else 0, dtype=torch.uint8)  # which holds nothing
        if (marked := cached_node(program.graph.graph)) and argument_of(marked, "shallow"):
            self._cache[4] = 1
            held = inputs[str(argument_of(marked, "x").target)].contiguous().view(torch.uint8).flatten()
            self._cache[64:] = held
        value = output_of(program).meta["val"]
        self._output = torch.full(tuple(value.shape), GUARD, dtype=value.dtype)
        before = {name: tensor.clone() for name, tensor in inputs.items()}
        for group, each in calls.groups:
            self._run_group(kernels, group, each)
        for call in calls.copies:
            kernels.call(call.kernel, call, call.arguments, self)
        assert all(torch.equal(before[name], inputs[name]) for name in inputs), "an input was written to"

    def _run_group(
        self, kernels: Kernels, group: FusionGroup, calls: Sequence[tuple[int, KernelCall]]
    ) -> None:
        for _, call in calls:
            if call.prepare is not None:
                kernels.call(f"{call.kernel}_prepare", call, call.prepare, self)
            if not call.by_rows:
                kernels.call(call.kernel, call, call.arguments, self)
        loops = [place for place, (_, call) in enumerate(calls) if call.reduction] + [len(calls)]
        for end in loops if group.block else []:
            for rows in self._blocks(group):
                self.rows = rows
                # Nothing may be left over from another block.
                self._arena[self._offset(self._shared) :][: self._size - self._shared] = GUARD
                for self.finer, call in calls[:end]:
                    kernels.call(f"{call.kernel}_rows", call, call.arguments, self)
                if end < len(calls) and (reduction := calls[end][1].reduction):
                    self.finer = calls[end][0]
                    kernels.call(f"{reduction.kernel}_reduce_rows", calls[end][1], reduction.rows, self)
            if end < len(calls) and (reduction := calls[end][1].reduction):
                kernels.call(f"{reduction.kernel}_reduce_end", calls[end][1], reduction.end, self)

    def _blocks(self, group: FusionGroup) -> list[tuple[int, int]]:
        blocks, first = [], 0
        while first < group.rows:
            count = self._random.randint(1, min(group.block, group.rows - first))
            blocks.append((first, count))
            first += count
        self._random.shuffle(blocks)
        return blocks

    def _offset(self, offset: int) -> int:
        return self._start - self._arena.data_ptr() + offset

    def result(self) -> torch.Tensor:
        begin = self._start - self._arena.data_ptr()
        outside = torch.cat([self._arena[:begin], self._arena[begin + self._size :]])
        assert bool((outside == GUARD).all()), "memory outside the arena was written to"
        return self._output

    def address(self, place: Place | None) -> int:
        if place is None:
            return 0
        offset = place.offset + self.rows[0] * place.row_bytes
        if place.region is MemoryRegion.ARENA:
            return self._start + offset
        if place.region is MemoryRegion.CACHE:
            return self._cache.data_ptr() + offset
        if place.region is MemoryRegion.THREAD:
            return self._start + self._shared + offset
        if place.region is MemoryRegion.OUTPUT:
            return self._output.data_ptr() + offset
        if place.region is MemoryRegion.INPUT:
            return self._inputs[place.base.removeprefix("run->")].data_ptr() + offset
        assert place.tensor is not None
        self._keep.append(place.tensor)
        of_step = self.step * place.step_bytes
        return place.tensor.data_ptr() + of_step + offset


def planned(program: Program, **options: Any) -> Program:
    """With fusion groups and a memory plan. options: of `group-rows`."""
    return PlanMemory().run(FuseRows(**options).run(program))


Builds = tuple[Kernels, ...]
"""The runtime with this machine's vector instructions, and without any."""


def check(kernels: Builds, program: Program, inputs: dict[str, torch.Tensor], **options: Any) -> None:
    """Every step of the program, bit by bit, with each build. options: of `group-rows`."""
    program = planned(program, **options)
    calls = calls_of_all(program)
    for step in range(len(program.schedule)):
        expected = reference.run(program, inputs, step)
        for build in kernels:
            found = build.run(calls, inputs, step)
            wrong = int((expected != found).sum())
            assert torch.equal(expected, found), (build.name, step, wrong, program.graph.graph)
