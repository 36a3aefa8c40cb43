"""Whole emitted folders: the shipped test program, the runner, what is refused."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from toolchains import PLAIN_MAKE

from dgqc.backends import reference
from dgqc.backends.c import CProgram, Vector, build, emit, find_compiler
from dgqc.backends.c.execution.arenas import Handle
from dgqc.ir.errors import DgqcError
from dgqc.ir.level import Level
from dgqc.ir.program import Program

from .kernels import Builds, check, planned
from .unet_like import inputs_of, unet_like


@pytest.fixture(scope="module")
def program() -> Program:
    return planned(unet_like())


@pytest.fixture(scope="module")
def folder(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("emitted") / "model"
    vectors = []
    for step in range(len(program.schedule)):
        inputs = inputs_of(program, seed=step)
        vectors.append(Vector(step, inputs, reference.run(program, inputs, step)))
    emit(program, directory, vectors=vectors)
    return directory


@pytest.mark.parametrize("seed", range(4))
def test_kernels_agree_on_a_whole_graph(kernels: Builds, seed: int) -> None:
    program = unet_like(seed, channels=4 + 4 * (seed % 2), size=5 + seed, tokens=2 + seed)
    check(kernels, program, inputs_of(program, seed))


def test_a_stack_holds_the_constants_of_one_call_at_a_time(folder: Path, tmp_path: Path) -> None:
    """However many calls a function makes: a microcontroller has 8 KB of it."""
    flags = ("-std=c99", "-O2", "-fstack-usage", f"-I{folder}/include", f"-I{folder}/src", "-c")
    (source,) = (folder / "src").glob("model.c")
    subprocess.run(["gcc", *flags, str(source)], check=True, cwd=tmp_path)
    usage = (tmp_path / "model.su").read_text()
    frames = [int(size) for size in re.findall(r":(?:rows|group)_\w+\t(\d+)\t", usage)]
    assert len(frames) > 2
    assert max(frames) < 1024


def test_outputs_say_something(program: Program) -> None:
    """Bits that agree prove nothing where all of them are zero."""
    output = reference.run(program, inputs_of(program), 1)
    assert output.unique().numel() > 20


def test_make_runs_the_vectors(folder: Path) -> None:
    # As programs are built for this machine, whose objects are kept.
    flags = ["ARCH=-march=native -mtune=generic", "CFLAGS=-O3 -fPIC -w"]
    subprocess.run(["make", "-j2", *flags], cwd=folder, check=True, capture_output=True)
    done = subprocess.run(["./model_test"], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "model: 3 vectors, 0 elements wrong\n")


def test_a_wrong_vector_fails(program: Program, tmp_path: Path) -> None:
    inputs = inputs_of(program)
    output = reference.run(program, inputs, 0)
    output.view(-1)[3] ^= 1
    emit(program, tmp_path, vectors=[Vector(0, inputs, output)])
    subprocess.run(["make", "-j2", *PLAIN_MAKE], cwd=tmp_path, check=True, capture_output=True)
    done = subprocess.run(["./model_test"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "vector 0, element 3" in done.stdout


def special_headers(path: Path) -> set[str]:
    """What a file may include besides: threads in one place, intrinsics in files named after them."""
    if path.stem == "dgqc_rows":
        return {"omp.h"}
    x86 = dict.fromkeys(("avx2", "avx512", "amx"), "immintrin.h")
    others = {"neon": "arm_neon.h", "i8mm": "arm_neon.h", "mve": "arm_mve.h", "wasm": "wasm_simd128.h"}
    named = {**x86, **others, "dsp": "arm_acle.h"}
    return {named[end]} if (end := path.stem.rpartition("_")[2]) in named else set()


def test_only_three_headers_of_libc(folder: Path) -> None:
    for path in (*folder.glob("src/*"), *folder.glob("include/*")):
        included = set(re.findall(r"#include <(.*?)>", path.read_text()))
        assert included <= {"stdint.h", "stddef.h", "string.h", *special_headers(path)}, path


def test_no_globals_that_change(folder: Path) -> None:
    library = build(folder).library
    symbols = subprocess.run(
        ["nm", "--defined-only", library], capture_output=True, text=True, check=True
    ).stdout
    own = [line for line in symbols.splitlines() if "dgqc" in line or "model" in line]
    assert own
    assert not [line for line in own if line.split()[-2] in "bBdDC"]


def test_runner(program: Program, folder: Path) -> None:
    compiled = CProgram(folder)
    for step in range(3):
        inputs = inputs_of(program, seed=10 + step)
        assert torch.equal(compiled.run(inputs, step), reference.run(program, inputs, step))
    with pytest.raises(DgqcError, match="Step 3 is outside"):
        compiled.run(inputs, 3)
    with pytest.raises(DgqcError, match="encoder_hidden_states is missing"):
        compiled.run({"sample": inputs["sample"]}, 0)
    with pytest.raises(DgqcError, match="sample must be int16"):
        compiled.run({**inputs, "sample": inputs["sample"].int()}, 0)


def test_builds_once_and_again_when_a_source_changes(folder: Path, tmp_path: Path) -> None:
    first = build(folder)
    written = first.library.stat().st_ino
    assert build(folder) == first
    assert first.library.stat().st_ino == written
    assert not list(folder.rglob("*.so")), "something was built inside the emitted folder"
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "src" / "model.c").write_text("int x = ;\n")
    with pytest.raises(DgqcError, match=r"model\.c:1:9: error"):
        build(copy)


@pytest.mark.parametrize("damage", [lambda whole: whole[: len(whole) // 2], lambda whole: b""])
def test_a_damaged_library_is_built_again(folder: Path, damage: Callable[[bytes], bytes]) -> None:
    library = build(folder).library
    whole = library.read_bytes()
    library.unlink()  # others may have loaded the file that it was
    library.write_bytes(damage(whole))
    assert build(folder).library == library
    assert len(library.read_bytes()) == len(whole)
    assert sorted(path.suffix for path in library.parent.iterdir()) == [".sha256", ".so"]


def test_guards(folder: Path) -> None:
    """The C functions themselves refuse null pointers, wrong steps, misaligned and small arenas."""
    compiled = CProgram(folder, threads=1)
    program = compiled._arenas._free[0]
    run, init, handle = compiled._function, compiled.library["model_init"], ctypes.byref(program)
    init.argtypes = [ctypes.c_void_p, *(ctypes.c_void_p, ctypes.c_size_t) * 2]
    sample = torch.zeros(20000, dtype=torch.int16).data_ptr()
    assert run(handle, 0, None, sample, sample) == 1
    assert run(handle, 0, sample, sample, None) == 1
    assert run(None, 0, sample, sample, sample) == 1
    assert run(ctypes.byref(Handle()), 0, sample, sample, sample) == 1
    assert run(handle, -1, sample, sample, sample) == 2
    assert run(handle, 3, sample, sample, sample) == 2
    for threads in (0, 2, 2**40):
        program.threads = threads
        assert run(handle, 0, sample, sample, sample) == 8
    arena, size = program.arena, compiled.signature.shared_bytes + compiled.signature.thread_bytes
    weights = (program.weights, compiled.signature.weights_bytes)
    assert init(handle, *weights, arena + 2, size) == 3
    assert init(handle, *weights, arena, size - 1) == 4
    assert init(handle, *weights, None, size) == 1
    assert init(handle, None, weights[1], arena, size) == 1
    assert init(handle, weights[0] + 2, weights[1], arena, size) == 5
    assert init(handle, weights[0], weights[1] - 1, arena, size) == 6
    assert init(handle, *weights, arena, size) == 0


@pytest.mark.parametrize(
    "options", [{"parallel": 0}, {"fuse": False}, {"tile": 1, "rows": 1, "parallel": 0}, {}]
)
def test_streams_and_threads_change_no_bit(options: dict[str, Any], tmp_path: Path) -> None:
    """Several block sizes, without streams, on one thread, two and more than there are cores."""
    program = planned(unet_like(5, size=9), **options)
    inputs = inputs_of(program, seed=4)
    expected = reference.run(program, inputs, 1)
    emit(program, tmp_path)
    for threads in (1, 2, 5):
        assert torch.equal(CProgram(tmp_path, threads=threads).run(inputs, 1), expected)


def test_builds_without_openmp(program: Program, tmp_path: Path) -> None:
    inputs = inputs_of(program)
    emit(program, tmp_path, vectors=[Vector(0, inputs, reference.run(program, inputs, 0))])
    assert "OPENMP=0" in PLAIN_MAKE
    subprocess.run(["make", "-j2", *PLAIN_MAKE], cwd=tmp_path, check=True, capture_output=True)
    subprocess.run(["./model_test"], cwd=tmp_path, check=True, capture_output=True)


def test_refuses(program: Program, tmp_path: Path) -> None:
    with pytest.raises(DgqcError, match="run the pass plan-memory"):
        emit(replace(program, layout=None), tmp_path)
    with pytest.raises(DgqcError, match="integer level"):
        emit(replace(program, level=Level.PLANNED), tmp_path)
    with pytest.raises(DgqcError, match="can't be the name"):
        emit(program, tmp_path, name="9lives")
    with pytest.raises(DgqcError, match="holds no emitted C program"):
        build(tmp_path)
    with pytest.raises(DgqcError, match="No C compiler: nowhere-cc"):
        find_compiler("nowhere-cc")
