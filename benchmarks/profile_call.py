"""Where the time of a compiled program's call goes, op by op and stream by stream, beside what bounds each.

    python benchmarks/profile_call.py BUNDLE [--step 0] [--rounds 7] [--streams 20] [--without-matrix-units]
        [--json]

BUNDLE is what `dgqc compile` writes, of any model. The emitted C runs on one core with a clock behind each
kernel's call; each figure is the best of its rounds. A *stream* is what runs together, block of rows by block
of rows (a fusion group). The *limit* of a product is its multiply-accumulates at the machine's peak (of
matrix units where it has some, else of vectors; a convolution that multiplies tiles does fewer, and may be
faster), that of anything else the bytes of the values that it reads
and writes, at the speed of a copy: within a thread's memory for values that stay there, else across the
program's arena. Limits are measured in the same run, between the rounds. They are no promise: a softmax
computes more than a copy does.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from torch import fx

from dgqc import load
from dgqc.backends.c import find_compiler
from dgqc.backends.c.emission.project import RUNTIME
from dgqc.backends.c.execution.clocked import ClockedProgram
from dgqc.backends.c.execution.processors import may_use_matrix_units
from dgqc.backends.c.kernels.value_rows import value_bytes
from dgqc.backends.c.layout.plan import layout_of
from dgqc.backends.c.layout.rows import products_in_a_sum
from dgqc.backends.c.layout.thread_buffers import results
from dgqc.backends.registry import find_target
from dgqc.bundle.vectors import random_inputs
from dgqc.ir.program import Program
from dgqc.ir.views import views_of
from dgqc.passes.graph.edit import module_path

Key = TypeVar("Key")
SOURCE = Path(__file__).with_name("limits.c")
FLAGS = ("-std=c99", "-O3", "-march=native", "-shared", "-fPIC", f"-I{RUNTIME}")


@dataclass
class Limits:
    """The best that one core did. products: 10^9 multiply-accumulates a second. cache, memory: 10^9 bytes a
    second that a copy reads and writes, within a thread's memory and across the arena."""

    vectors: float = 0.0
    matrix_units: float = 0.0
    cache: float = 0.0
    memory: float = 0.0

    @property
    def products(self) -> float:
        return max(self.vectors, self.matrix_units)


@dataclass(frozen=True)
class Work:
    """What an op has to do: multiply-accumulates, and bytes of values that it reads and writes."""

    products: int
    in_cache: int
    in_memory: int

    def microseconds(self, limits: Limits) -> float:
        """At its limit."""
        if self.products:
            return 1e-3 * self.products / limits.products
        return 1e-3 * (self.in_cache / limits.cache + self.in_memory / limits.memory)


@dataclass
class OpTime:
    """An op of the program. preparing: the part of its microseconds that comes before its first row."""

    node: str
    kernel: str
    module: str
    stream: int
    microseconds: float = 0.0
    preparing: float = 0.0
    limit: float = 0.0


@dataclass
class Profile:
    """limits: of one core. call: microseconds of the fastest round. ops: in the order of running."""

    limits: Limits
    call: float
    ops: list[OpTime] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--step", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--streams", type=int, default=20, help="how many are shown, those that lose most")
    parser.add_argument("--without-matrix-units", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    laid_out = find_target("c")().lay_out(load(given.bundle).program, verified=False)
    found = profile(laid_out, given.step, given.rounds, not given.without_matrix_units)
    if given.json:
        json.dump(asdict(found), sys.stdout, indent=2)
    else:
        print("\n".join(as_markdown(found, given.streams)))


def profile(laid_out: Program, step: int, rounds: int, matrix_units: bool = True) -> Profile:
    """Every op that a program computes in C. laid_out: by the passes of C."""
    memory = layout_of(laid_out).memory
    assert memory is not None
    inputs, limits = random_inputs(laid_out, seed=0), Limits()
    measured = []
    with TemporaryDirectory() as folder:
        measure = _limits_of(Path(folder), max(memory.thread_bytes, 4096), max(memory.shared_bytes, 4096))
        clocked = ClockedProgram(laid_out, Path(folder) / "program", matrix_units=matrix_units)
        clocked.seconds(inputs, step)
        for _ in range(rounds):
            measure(limits, matrix_units)
            measured.append(clocked.seconds(inputs, step))
    found = Profile(limits, 1e6 * min(map(sum, measured)))
    by_node, works = dict[str, OpTime](), work_of(laid_out)
    modules = {node.name: module_path(node) for node in laid_out.graph.graph.nodes}
    for call, *seconds in zip(clocked.calls, *measured, strict=True):
        kernel = call.kernel.removesuffix("_prepare").removesuffix("_rows")
        op = by_node.setdefault(call.node, OpTime(call.node, kernel, modules[call.node], call.group))
        op.microseconds += 1e6 * min(seconds)
        op.preparing += 1e6 * min(seconds) if call.kernel.endswith("_prepare") else 0.0
        op.limit = works[call.node].microseconds(limits)
    found.ops = list(by_node.values())
    return found


def work_of(laid_out: Program) -> dict[str, Work]:
    """What each node that is computed has to do, by name."""
    fusion = layout_of(laid_out).fusion
    assert fusion is not None
    nodes = {node.name: node for node in laid_out.graph.graph.nodes}
    views = views_of(nodes.values())
    inner = {name for group in fusion.groups for name in group.inner}
    found = {}
    for name in (name for group in fusion.groups for name in group.nodes):
        node = nodes[name]
        sizes = {one: value_bytes(value) for one, value in results(node)}
        for source in _read(node):
            place = views[source.name].of if source.name in views else source.name
            sizes[place] = sizes.get(place, 0) + sum(value_bytes(value) for _, value in results(source))
        products = next(iter(results(node)))[1].numel() * products_in_a_sum(node)
        cached = sum(size for place, size in sizes.items() if place in inner)
        found[name] = Work(products, cached, sum(sizes.values()) - cached)
    return found


def _read(node: fx.Node) -> Iterator[fx.Node]:
    """The values that a node reads, but for constants and their rows."""
    for source in node.all_input_nodes:
        constant = source.op == "get_attr" or all(one.op == "get_attr" for one in source.all_input_nodes[:1])
        if source.op == "placeholder" or not constant:
            yield source


def _limits_of(folder: Path, cache: int, memory: int) -> Callable[[Limits, bool], None]:
    """A function that measures all limits once more, and keeps the best. cache, memory: bytes."""
    library = folder / "limits.so"
    subprocess.run([find_compiler(), *FLAGS, str(SOURCE), "-o", str(library)], check=True)
    loaded = ctypes.CDLL(str(library))
    for name in ("vectors", "matrix_units", "copies"):
        getattr(loaded, f"limits_{name}").restype = ctypes.c_double
    loaded.limits_copies.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    buffer = (ctypes.c_char * max(cache, memory))()

    def measure(limits: Limits, matrix_units: bool) -> None:
        limits.vectors = max(limits.vectors, loaded.limits_vectors())
        if matrix_units and may_use_matrix_units():
            limits.matrix_units = max(limits.matrix_units, loaded.limits_matrix_units())
        limits.cache = max(limits.cache, loaded.limits_copies(buffer, cache))
        limits.memory = max(limits.memory, loaded.limits_copies(buffer, memory))

    return measure


def as_markdown(found: Profile, streams: int) -> Iterator[str]:
    """The lines of two tables."""
    limits, total = found.limits, sum(op.microseconds for op in found.ops)
    units = f", {limits.matrix_units:.0f} on matrix units" if limits.matrix_units else ""
    copies = f"copies of {limits.cache:.0f} GB/s in a thread's memory, {limits.memory:.0f} across the arena"
    yield (
        f"One core: {limits.vectors:.0f} GMAC/s on vectors{units}; {copies}. The fastest call took"
        f" {found.call:.0f} us, the best of each kernel add up to {total:.0f}."
    )
    yield from ("", *_table("op", _by(found.ops, lambda op: op.kernel), total))
    if streams == 0:
        return
    by_stream = sorted(_by(found.ops, lambda op: op.stream).items(), key=lambda one: -_loss(one[1]))
    named = {f"{number}: {_stream(ops)}": ops for number, ops in by_stream[:streams]}
    yield from ("", *_table("stream", named, total))


def _table(what: str, parts: dict[str, list[OpTime]], total: float) -> Iterator[str]:
    yield f"| {what} | ops | us | preparing | of the call | limit, us | limit / time |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name, ops in sorted(parts.items(), key=lambda one: -_time(one[1])):
        time, preparing, limit = _time(ops), sum(op.preparing for op in ops), sum(op.limit for op in ops)
        cells = (name, len(ops), f"{time:.0f}", f"{preparing:.0f}", f"{time / total:.1%}", f"{limit:.0f}")
        yield f"| {' | '.join(map(str, cells))} | {limit / max(time, 1e-9):.0%} |"


def _by(ops: Iterable[OpTime], key: Callable[[OpTime], Key]) -> dict[Key, list[OpTime]]:
    found: dict[Key, list[OpTime]] = {}
    for op in ops:
        found.setdefault(key(op), []).append(op)
    return found


def _time(ops: Sequence[OpTime]) -> float:
    return sum(op.microseconds for op in ops)


def _loss(ops: Sequence[OpTime]) -> float:
    return _time(ops) - sum(op.limit for op in ops)


def _stream(ops: Sequence[OpTime]) -> str:
    """The place in the model of what takes longest, and the stream's kernels."""
    longest = max(ops, key=lambda op: op.microseconds)
    return f"{longest.module} ({', '.join(dict.fromkeys(op.kernel for op in ops))})"


if __name__ == "__main__":
    main()
