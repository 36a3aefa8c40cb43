"""A program at the integer level as a folder of C99."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import torch
from torch import fx

from ....ir.arithmetic.operands import ensure_shapes, shape_of
from ....ir.caching import cached_node, kinds_of
from ....ir.errors import DgqcError
from ....ir.level import Level
from ....ir.plans import ratios
from ....ir.program import Program
from ....ir.vector import DrawingVector, Vector
from ..kernels.context import EmissionContext
from ..kernels.kernel_call import KernelCall, MemoryRegion, Place
from ..kernels.registry import sources_of
from ..kernels.value_rows import value_bytes
from ..layout.memory_plan import aligned
from ..layout.plan import layout_of
from .constants import ConstantBlock
from .functions import Function, Line, functions_of
from .loop import loop_memory_of
from .places import OUTPUT, Places
from .project import Project, Ratios, Signature, source_names, write_project
from .sizes import program_name, size_sources, write_sizes
from .storage import Storage, storage_for
from .streaming import Stream, firsts_of_windows

NO_VECTORS: Mapping[str, Sequence[Vector]] = MappingProxyType({})
C_WORDS = frozenset({
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum",
    "extern", "float", "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return",
    "short", "signed", "sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void",
    "volatile", "while", "arena", "memory", "noise", "output", "program", "sample_of_step", "state", "status",
    "step", "threads", "weights",
})  # fmt: skip
"""What an input can't be called: words of C, and what the emitted functions call their other arguments."""
CACHE_WORDS = frozenset({
    "amended", "amends", "before", "cache", "foretold", "full_call", "held", "shallow", "source",
})  # fmt: skip
"""And where something is cached."""


def emit(
    program: Program,
    directory: Path,
    *,
    name: str = "model",
    vectors: Sequence[Vector] = (),
    drawing: DrawingVector | None = None,
    storage: Storage | None = None,
    shipped: Path | None = None,
    vectors_by_size: Mapping[str, Sequence[Vector]] = NO_VECTORS,
) -> None:
    """Writes the program as C99 into `directory`, which is made if need be (docs/c-backend.md: its layout).

    program: at the integer level, with the plans of `fuse-rows` and `plan-memory`; with its other sizes.
    name: prefix of every symbol and file of this program, a C identifier in lower case.
    vectors: what the emitted test runs and compares bit by bit.
    drawing: what it draws with the program's denoising loop, and compares.
    storage: where the constants go; None chooses by their size.
    shipped: an emitted folder, whose binary file of constants is used where it is what would be written.
    vectors_by_size: of the other sizes.
    Raises DgqcError when the program or the name can't be emitted.
    """
    block = ConstantBlock()
    first = _laid_out(program, name, storage, block)
    others = {
        size: _laid_out(one, program_name(name, size), storage, block) for size, one in program.sizes.items()
    }
    place = storage or storage_for(first.constants.size)
    every = (program, *program.sizes.values())
    kernel_sources = sources_of([node for one in every for node in one.graph.graph.nodes])
    loop, tokenizer = program.loop, program.tokenizer
    extra = size_sources(name, others)
    sources = source_names(
        name, place, loop is not None, kernel_sources, tokenizer=tokenizer is not None, sizes=extra
    )
    given = (tuple(vectors), loop, drawing, kernel_sources, shipped, tokenizer)
    signature = _signature(program, name, first, place, sources)
    copies, called = _statements(first), (first.stream, kinds_of(program.graph))
    project = Project(
        signature, first.functions, copies, first.constants, *given, *called, None, tuple(others)
    )
    write_project(project, directory)
    if others:
        beside = {
            size: Project(
                _signature(program.sizes[size], program_name(name, size), one, place, sources),
                one.functions,
                _statements(one),
                one.constants,
                tuple(vectors_by_size.get(size, ())),
                kernel_sources=kernel_sources,
                weights=name,
            )
            for size, one in others.items()
        }
        write_sizes(project, beside, directory)


@dataclass(frozen=True)
class _LaidOut:
    """What a program's calls are, and where what they read lies. copies: what brings the result to its place.

    stream: the windows where constants are read while the program runs.
    """

    constants: ConstantBlock
    places: Places
    functions: list[Function]
    copies: list[KernelCall]
    stream: Stream | None = None


def _statements(one: _LaidOut) -> list[str]:
    return [Line("output", call, 0).statement.call for call in one.copies]


def _signature(
    program: Program, name: str, one: _LaidOut, storage: Storage, sources: tuple[str, ...]
) -> Signature:
    """What a caller must know of a program."""
    plan, stream = one.places.plan, one.stream
    cache = plan.cache
    return Signature(
        name=name,
        inputs=tuple((item.name, item.shape) for item in program.inputs),
        output=shape_of(output_of(program)),
        steps=len(program.schedule),
        shared_bytes=plan.shared_bytes if stream is None else stream.end,
        thread_bytes=plan.thread_bytes,
        storage=storage,
        weights_bytes=one.constants.size,
        sources=sources,
        timesteps=tuple(program.schedule.timesteps),
        scales=_scales(program),
        ratios=_ratios(program),
        draw_bytes=loop_memory_of(program).bytes if program.loop else 0,
        noise_pictures=program.loop.noise_pictures if program.loop else 0,
        cache_bytes=0 if cache is None else cache.bytes,
        cache_offset=0 if cache is None else cache.offset,
    )


def _laid_out(program: Program, name: str, storage: Storage | None, block: ConstantBlock) -> _LaidOut:
    """A program's calls. block: takes its constants, but where they are read while it runs.

    Raises DgqcError when the program or the name can't be emitted.
    """
    _check(program, name)
    if storage is not Storage.STREAM:
        return _called(program, block)
    fusion = layout_of(program).fusion
    assert fusion is not None
    # Once with a window for each group, to see how much each reads.
    apart = _called(program, ConstantBlock(), range(len(fusion.groups)))
    firsts = firsts_of_windows([window.size for window in apart.constants.windows])
    found = _called(program, block, firsts)
    stream = Stream(tuple(block.windows), firsts, aligned(found.places.plan.shared_bytes))
    return replace(found, stream=stream)


def _called(program: Program, constants: ConstantBlock, windows: Container[int] = frozenset()) -> _LaidOut:
    """A program's calls, with windows of constants that begin with these fusion groups."""
    places = Places(program, constants)
    widths = dict(program.report.get("weight-bits", {}))
    functions = functions_of(program, EmissionContext(places, constants, widths), windows)
    # The output may be a constant, which then is the last window's.
    return _LaidOut(constants, places, functions, copied_output(output_of(program), places))


def _scales(program: Program) -> dict[str, tuple[float, ...]]:
    """What a step of each input and of the output is worth at each call."""
    scales = {**{item.name: item.scale for item in program.inputs}, "output": program.output_scale}
    return {name: tuple(scale.tolist()) for name, scale in scales.items() if scale is not None}


def _ratios(program: Program) -> dict[str, Ratios]:
    """What the scales of inputs are multiplied by along an axis, where channels have scales of their own."""
    found = {}
    for item in program.inputs:
        if item.exponent is not None:
            sizes = item.exponent.shape
            axis = next((place for place, size in enumerate(sizes) if size > 1), len(sizes) - 1)
            if item.exponent.numel() != sizes[axis]:
                raise DgqcError(f"Scales of the input {item.name} differ along several axes; let it be one.")
            run = math.prod(item.shape[axis + 1 :])
            found[item.name] = Ratios(run, tuple(ratios(item.exponent).reshape(-1).tolist()))
    return found


def output_of(program: Program) -> fx.Node:
    """The node whose value is the program's output."""
    result = next(node for node in program.graph.graph.nodes if node.op == "output").args[0]
    if not isinstance(result, fx.Node):
        raise DgqcError("The C backend takes graphs with one output, and this one has several.")
    return result


def copied_output(result: fx.Node, places: Places) -> list[KernelCall]:
    """What brings the result to the caller's output where it isn't computed there."""
    source = places.at(result)
    if source.region is MemoryRegion.OUTPUT:
        return []
    size = value_bytes(result.meta["val"])
    return [KernelCall("copy", (1, size, source, 0, Place(MemoryRegion.OUTPUT, OUTPUT), 0))]


def _check(program: Program, name: str) -> None:
    if program.level is not Level.INTEGER:
        raise DgqcError(
            f"The C backend takes programs at the integer level, not {program.level}; lower it first."
        )
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in C_WORDS or name.startswith("dgqc_"):
        raise DgqcError(
            f"{name!r} can't be the name of a C program; use lower case letters, digits and underscores."
        )
    words = C_WORDS if cached_node(program.graph.graph) is None else C_WORDS | CACHE_WORDS
    for item in program.inputs:
        if not re.fullmatch(r"[A-Za-z]\w*", item.name, re.ASCII) or item.name in words:
            raise DgqcError(
                f"The input {item.name!r} can't be the name of a C parameter; rename the placeholder."
            )
    ensure_shapes(program)
    result = output_of(program)
    if result.meta["val"].dtype != torch.int16:
        raise DgqcError(f"The output must be int16, but {result.name} is {result.meta['val'].dtype}.")
