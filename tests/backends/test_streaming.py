"""Constants that are read while a program runs: the same bits, and a clean end where reading fails."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toolchains import need_linking

from dgqc.backends import reference
from dgqc.backends.c import CProgram, Storage, Vector, build, emit
from dgqc.backends.c.emission.constants import HEADER_BYTES
from dgqc.backends.c.emission.streaming import firsts_of_windows
from dgqc.backends.c.execution.arenas import Handle
from dgqc.ir.drawing import Drawing
from dgqc.ir.errors import DgqcError
from dgqc.ir.program import Program

from .kernels import planned
from .unet_like import inputs_of, unet_like, with_ddim

STEP = 1
OK, TOO_SMALL, UNKNOWN, DAMAGED, UNREADABLE = 0, 4, 6, 7, 9


@pytest.fixture(scope="module")
def program() -> Program:
    return with_ddim(planned(unet_like(3)))


@pytest.fixture(scope="module")
def expected(program: Program) -> torch.Tensor:
    return reference.run(program, inputs_of(program, 7), STEP)


@pytest.fixture(scope="module")
def folder(program: Program, expected: torch.Tensor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("streamed")
    emit(program, place, vectors=[Vector(STEP, inputs_of(program, 7), expected)], storage=Storage.STREAM)
    return place


BEGIN = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_size_t)
FINISH = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


class CReader(ctypes.Structure):
    """`dgqc_reader`."""

    _fields_: ClassVar = [("begin", BEGIN), ("finish", FINISH), ("context", ctypes.c_void_p)]


@dataclass
class Reader:
    """Reads from bytes, and writes down what it was asked for. What is begun arrives when it is finished.

    fails: whether a read does, told its number and whether it is being finished.
    """

    data: bytes
    fails: Callable[[int, bool], bool] = lambda number, finishing: False
    asked: list[tuple[int, int, int]] = field(default_factory=list)
    pending: bool = False

    def __post_init__(self) -> None:
        self.structure = CReader(BEGIN(self._begin), FINISH(self._finish))

    def _begin(self, context: object, offset: int, room: int, size: int) -> int:
        assert not self.pending
        self.asked.append((offset, room, size))
        if self.fails(len(self.asked), False):
            return 1
        ctypes.memset(room, 0xA5, size)
        self.pending = True
        return 0

    def _finish(self, context: object) -> int:
        assert self.pending
        self.pending = False
        if self.fails(len(self.asked), True):
            return 1
        offset, room, size = self.asked[-1]
        ctypes.memmove(room, self.data[offset : offset + size], size)
        return 0


class Called:
    """The emitted functions, called as a device calls them."""

    def __init__(self, folder: Path, program: Program) -> None:
        built = build(folder)
        self.signature, self.library = built.signature, ctypes.CDLL(str(built.library))
        self.data = (folder / "model_weights.bin").read_bytes()
        self.size = self.signature.shared_bytes + self.signature.thread_bytes
        self.memory = torch.zeros(self.size + 64, dtype=torch.uint8)
        self.arena = -(-self.memory.data_ptr() // 64) * 64
        self.handle = Handle()
        self.inputs = inputs_of(program, 7)
        self.output = torch.empty(self.signature.output, dtype=torch.int16)

    def init(self, reader: Reader, first: int = 0, size: int | None = None) -> int:
        given: tuple[Any, ...] = (ctypes.byref(self.handle), ctypes.byref(reader.structure))
        given += (ctypes.c_uint64(first), ctypes.c_void_p(self.arena))
        return int(self.library.model_init(*given, ctypes.c_size_t(self.size if size is None else size)))

    def run(self) -> int:
        tensors = [self.inputs[name].contiguous() for name, _ in self.signature.inputs]
        pointers = [ctypes.c_void_p(tensor.data_ptr()) for tensor in (*tensors, self.output)]
        return int(self.library.model_run(ctypes.byref(self.handle), ctypes.c_int32(STEP), *pointers))


@pytest.fixture
def called(folder: Path, program: Program) -> Called:
    return Called(folder, program)


def test_windows_are_read_in_order_and_one_ahead(called: Called, expected: torch.Tensor) -> None:
    """Each byte once a call, into two rooms that together are smaller than the constants."""
    reader = Reader(called.data)
    assert called.init(reader) == OK
    reader.asked.clear()
    assert called.run() == OK
    assert torch.equal(called.output, expected)
    offsets, rooms, sizes = zip(*reader.asked, strict=True)
    assert not reader.pending
    assert offsets[0] == HEADER_BYTES
    assert [*offsets[1:], len(called.data)] == [a + b for a, b in zip(offsets, sizes, strict=True)]
    assert set(rooms[::2]) | set(rooms[1::2]) == {rooms[0], rooms[1]}
    assert abs(rooms[1] - rooms[0]) == max(sizes)
    assert 2 * max(sizes) < len(called.data)


def test_constants_may_lie_behind_others(called: Called, expected: torch.Tensor) -> None:
    assert called.init(Reader(bytes(4096) + called.data), first=4096) == OK
    reader = Reader(bytes(4096) + called.data)
    assert called.init(reader, first=4096) == OK
    assert called.run() == OK
    assert torch.equal(called.output, expected)


@pytest.mark.parametrize("finishing", [False, True])
def test_a_read_that_fails_ends_the_call(called: Called, finishing: bool, expected: torch.Tensor) -> None:
    """Whichever it is; nothing is being read afterwards, and the next call goes well."""
    good = Reader(called.data)
    assert called.init(good) == OK
    good.asked.clear()
    assert called.run() == OK
    for failing in range(1, len(good.asked) + 1):
        reader = Reader(called.data, lambda number, end, one=failing: (number, end) == (one, finishing))
        called.handle.weights = ctypes.addressof(reader.structure)
        assert called.run() == UNREADABLE
        assert not reader.pending
        assert len(reader.asked) == failing
    called.handle.weights = ctypes.addressof(good.structure)
    assert called.run() == OK
    assert torch.equal(called.output, expected)


def test_what_init_refuses(called: Called) -> None:
    data = called.data
    assert called.init(Reader(data[:-1] + bytes([data[-1] ^ 1]))) == DAMAGED
    assert called.init(Reader(b"x" + data[1:])) == UNKNOWN
    assert called.init(Reader(data, lambda number, end: number == 1)) == UNKNOWN
    assert called.init(Reader(data, lambda number, end: number == 3 and end)) == UNREADABLE
    assert called.init(Reader(data), size=called.size - 1) == TOO_SMALL
    assert called.init(Reader(data), size=called.size) == OK


def test_a_file_that_gets_shorter_while_a_program_is_loaded(
    program: Program, expected: torch.Tensor, tmp_path: Path
) -> None:
    emit(program, tmp_path, storage=Storage.STREAM)
    loaded, file = CProgram(tmp_path), tmp_path / "model_weights.bin"
    data = file.read_bytes()
    assert torch.equal(loaded.run(inputs_of(program, 7), STEP), expected)
    os.truncate(file, len(data) - 1)
    with pytest.raises(DgqcError, match="weights can't be read, or end too early"):
        loaded.run(inputs_of(program, 7), STEP)
    file.write_bytes(data)
    assert torch.equal(loaded.run(inputs_of(program, 7), STEP), expected)


def test_several_threads_and_a_fork(program: Program, expected: torch.Tensor, folder: Path) -> None:
    loaded, inputs = CProgram(folder, threads=2), inputs_of(program, 7)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: loaded.run(inputs, STEP), range(20)):
            assert torch.equal(found, expected)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if torch.equal(loaded.run(inputs, STEP), expected) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_picture_is_drawn_with_streamed_constants(program: Program, folder: Path, tmp_path: Path) -> None:
    emit(program, tmp_path, storage=Storage.ARRAY)
    inputs = inputs_of(program, 5)
    noise = inputs.pop("sample")
    drawing = Drawing(noise=noise, conditions=inputs)
    assert torch.equal(CProgram(folder).draw(drawing), CProgram(tmp_path).draw(drawing))


@given(st.lists(st.integers(0, 50).map(lambda words: 64 * words), min_size=1, max_size=30))
def test_no_window_is_larger_than_the_largest_group(sizes: list[int]) -> None:
    firsts = firsts_of_windows(sizes)
    assert firsts[0] == 0
    assert list(firsts) == sorted(set(firsts))
    windows = [sizes[first:end] for first, end in zip(firsts, (*firsts[1:], len(sizes)), strict=True)]
    assert [size for window in windows for size in window] == sizes
    assert all(sum(window) <= max(sizes) for window in windows)


@pytest.mark.slow
@pytest.mark.parametrize("sanitizer", ["address,undefined", "thread"])
def test_sanitizers_find_nothing(folder: Path, sanitizer: str, tmp_path: Path) -> None:
    """Good constants, short ones, and another file."""
    need_linking("clang", f"-fsanitize={sanitizer}")
    flags = f"CFLAGS=-O1 -DDGQC_PORTABLE -DWORTH_A_THREAD=1 -fsanitize={sanitizer} -fno-sanitize-recover=all"
    made = ["make", "-C", folder, "-j2", "CC=clang", "ARCH=", "OPENMP=0", flags]
    subprocess.run([*made, "clean"], check=True, capture_output=True)
    subprocess.run(made, check=True, capture_output=True)
    data = (folder / "model_weights.bin").read_bytes()
    said = {
        data: "model: 1 vectors, 0 elements wrong",
        data[:-1]: "model can't be made ready: status 9",
        data[:70]: "model can't be made ready: status 9",
        data[:10]: "model can't be made ready: status 6",
        b"x" + data[1:]: "model can't be made ready: status 6",
    }
    for number, (content, answer) in enumerate(said.items()):
        file = tmp_path / f"weights-{number}"
        file.write_bytes(content)
        ran = subprocess.run([folder / "model_test", file], capture_output=True, text=True, check=False)
        assert (ran.stdout.strip(), ran.stderr) == (answer, "")
