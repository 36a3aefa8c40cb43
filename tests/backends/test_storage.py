"""Constants as an array, an included object and a file: the same bits, and nothing but this program's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toolchains import PLAIN_MAKE

from dgqc.backends import reference
from dgqc.backends.c import CProgram, Storage, Vector, emit
from dgqc.backends.c.emission.constants import HEADER_BYTES, ConstantBlock, sums_of
from dgqc.backends.c.emission.storage import storage_for, write_block
from dgqc.ir.errors import DgqcError
from dgqc.ir.program import Program

from .kernels import planned
from .unet_like import inputs_of, unet_like

STORAGES = pytest.mark.parametrize("storage", list(Storage))
WHERE_SLOW = pytest.mark.parametrize(
    "storage",
    [one if one is Storage.FILE else pytest.param(one, marks=pytest.mark.slow) for one in Storage],
)
"""Each builds the whole runtime; the one that large programs take is built always."""
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]


@pytest.fixture(scope="module")
def program() -> Program:
    return planned(unet_like(3))


@pytest.fixture(scope="module")
def expected(program: Program) -> torch.Tensor:
    return reference.run(program, inputs_of(program, 7), 1)


def emitted(program: Program, expected: torch.Tensor, directory: Path, storage: Storage) -> Path:
    emit(program, directory, vectors=[Vector(1, inputs_of(program, 7), expected)], storage=storage)
    return directory


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("storage", "compiler"),
    [
        pytest.param(storage, compiler, marks=pytest.mark.slow)
        if compiler == "clang" and storage is not Storage.ARRAY
        else (storage, compiler)
        for storage in Storage
        for compiler in COMPILERS
    ],
)
def test_the_emitted_test_passes(
    storage: Storage, compiler: str, program: Program, expected: torch.Tensor, tmp_path: Path
) -> None:
    folder = emitted(program, expected, tmp_path, storage)
    made = run(["make", "-j2", f"CC={compiler}", *PLAIN_MAKE], folder)
    assert made.returncode == 0, made.stderr
    done = run(["./model_test"], folder)
    assert (done.returncode, done.stdout) == (0, "model: 1 vectors, 0 elements wrong\n")


@WHERE_SLOW
@pytest.mark.skipif(not shutil.which("cmake"), reason="no cmake")
def test_cmake_builds_it_too(
    storage: Storage, program: Program, expected: torch.Tensor, tmp_path: Path
) -> None:
    folder = emitted(program, expected, tmp_path / "with space", storage)
    for command in (["cmake", str(folder)], ["cmake", "--build", ".", "-j2"], ["ctest"]):
        done = run(command, tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr


@STORAGES
def test_the_runner_finds_them(
    storage: Storage, program: Program, expected: torch.Tensor, tmp_path: Path
) -> None:
    folder = emitted(program, expected, tmp_path, storage)
    assert torch.equal(CProgram(folder).run(inputs_of(program, 7), 1), expected)


def test_a_file_is_checked(program: Program, expected: torch.Tensor, tmp_path: Path) -> None:
    """Other files, cut ones and single flipped bits, by the emitted program itself and by the runner."""
    folder = emitted(program, expected, tmp_path, Storage.FILE)
    assert run(["make", "-j2", *PLAIN_MAKE], folder).returncode == 0
    file = folder / "model_weights.bin"
    good = file.read_bytes()

    def status(data: bytes) -> str:
        file.write_bytes(data)
        return run(["./model_test"], folder).stdout.strip()

    assert status(good) == "model: 1 vectors, 0 elements wrong"
    assert status(good + b"more") == "model: 1 vectors, 0 elements wrong"
    refused = "model can't be made ready: status"
    for place in (0, 8, 16, 24, 40):  # magic, format, size, a sum, padding
        assert status(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]) == f"{refused} 6", place
    for place in (HEADER_BYTES, len(good) // 2, len(good) - 1):
        assert status(good[:place] + bytes([good[place] ^ 4]) + good[place + 1 :]) == f"{refused} 7", place
    assert status(good[:HEADER_BYTES] + good[64:68][::-1] + good[68:]) == f"{refused} 7"
    assert status(good[:-64]) == f"{refused} 6"
    with pytest.raises(
        DgqcError, match=f"should hold the program's {len(good)} bytes of constants, but holds"
    ):
        CProgram(folder)
    file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(DgqcError, match="refused to run: weights damaged"):
        CProgram(folder)
    file.unlink()
    assert run(["./model_test"], folder).stdout == "model_weights.bin can't be read\n"
    with pytest.raises(DgqcError, match="is missing; copy or compile it again"):
        CProgram(folder)


def test_other_weights_are_refused(program: Program, expected: torch.Tensor, tmp_path: Path) -> None:
    """A file of the same size from another program."""
    folder = emitted(program, expected, tmp_path / "one", Storage.FILE)
    other = planned(unet_like(4))
    emit(other, tmp_path / "other", storage=Storage.FILE)
    shutil.copyfile(tmp_path / "other" / "model_weights.bin", folder / "model_weights.bin")
    with pytest.raises(DgqcError, match="weights of another program"):
        CProgram(folder)


def test_the_size_chooses() -> None:
    chosen = [storage_for(size) for size in (1000, 2**20, 2**20 + 64, 2**26, 2**26 + 64)]
    assert chosen == [Storage.ARRAY] * 2 + [Storage.OBJECT] * 2 + [Storage.FILE]


@given(st.lists(st.binary(max_size=40).map(lambda data: data[: len(data) // 4 * 4]), max_size=6))
def test_sums_are_what_the_c_loop_adds_up(pieces: list[bytes]) -> None:
    total = sums = 0
    data = b"".join(pieces)
    for place in range(0, len(data), 4):
        total += int.from_bytes(data[place : place + 4], "little")
        sums += total
    assert sums_of(iter(pieces)) == (total % 2**64, sums % 2**64)


def test_large_sums_wrap() -> None:
    ones = bytes([255]) * 2**22
    words, word = 2**20, 2**32 - 1
    assert sums_of(iter([ones, ones])) == (2 * words * word, words * (2 * words + 1) * word % 2**64)


def test_the_block_holds_each_tensor_once_and_aligned(tmp_path: Path) -> None:
    constants, made = ConstantBlock(), torch.arange(50, dtype=torch.int32)
    places = [
        constants.add(made),
        constants.add(torch.tensor([5], dtype=torch.uint8)),
        constants.add(made.clone(), offset=8),
        constants.add(torch.zeros(0, dtype=torch.int16)),
    ]
    large = torch.arange(1024, dtype=torch.int16)
    places.append(constants.add(large))
    assert [place.start for place in places] == [64, 264, 64, 272, 320]
    write_block(constants, tmp_path / "block")
    data = (tmp_path / "block").read_bytes()
    assert len(data) == constants.size == 320 + 2048
    assert data[64:264] == made.numpy().tobytes()
    assert data[264] == 5
    assert not any(data[265:320])
    assert data[320:] == large.numpy().tobytes()
