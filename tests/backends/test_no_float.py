"""Proof that nothing floats: soft-float targets need no helper, and compilers may not use float registers.

Three independent ways, each of which must find a float that is planted:

1. for machines without a floating-point unit a compiler turns every float operation into a call, and the
   objects of an emitted program call nothing but `memcpy`, its likes and integer helpers;
2. where the compiler may use general registers alone, it refuses any float (portable paths, no intrinsics);
3. the disassembly of the vector paths holds no floating-point instruction.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from toolchains import (
    ARM,
    BOARDS,
    INTEGER,
    LINUX,
    NATIVE,
    RISCV64,
    Target,
    compile_each,
    need,
    optimized,
    undefined_symbols,
)

SLOW = pytest.mark.slow
"""Of targets whose objects no other test needs, where another target shows the same."""
SOFT_FLOAT = (
    BOARDS["mps2-an386"],
    pytest.param(Target("cortex-m0", ARM, ("-mcpu=cortex-m0", "-mfloat-abi=soft")), marks=SLOW),
    pytest.param(BOARDS["mps2-an385"], marks=SLOW),
    pytest.param(Target("rv64imac", RISCV64, ("-march=rv64imac", "-mabi=lp64"), hosted=False), marks=SLOW),
)
GENERAL_REGISTERS = (NATIVE["gcc, portable"], pytest.param(LINUX["aarch64 portable"], marks=SLOW))
VECTORS = (
    pytest.param(NATIVE["gcc, avx2"], marks=SLOW),
    NATIVE["gcc, avx512-vnni"],
    LINUX["aarch64 i8mm"],
    pytest.param(LINUX["aarch64 dotprod"], marks=SLOW),
    BOARDS["mps3-an547"],
)

ALLOWED = {"memcpy", "memset", "memmove"}
"""The runtime calls the first two; a compiler may make any of them out of a loop."""
INTEGER_HELPERS = re.compile(
    r"__aeabi_(u?idiv|u?idivmod|u?ldivmod|lmul|llsl|llsr|lasr|u?lcmp|memcpy[48]?|memclr[48]?|memset[48]?)"
    r"|__gnu_thumb1_case_\w+|__clz[sd]i2|__(u?div|u?mod|mul|ashl|ashr|lshr)[ds]i3|__popcount[ds]i2"
)
FLOAT_INSTRUCTIONS = re.compile(
    # x86: scalar and packed arithmetic, conversions, comparisons; not moves, which carry integers too.
    r"\bv?(add|sub|mul|div|sqrt|max|min|round|rcp|rsqrt|dp|fn?m(add|sub)\d*)[sp][sdh]\b"
    r"|\bv?cvt\w*[sp][sdh]\w*\b|\bv?u?comis[sdh]\b|\bv?cmp\w*[sp][sdh]\b|\bf(add|sub|mul|div|ild|istp?|ld1|ldz)\b"
    # aarch64.
    r"|\bf(add|sub|mul|div|n?madd|n?msub|mla|mls|sqrt|cvt\w+|max\w*|min\w*|cmp\w*|cm\w\w|rint\w)\b|\b[su]cvtf\b"
    # Helium and Arm's scalar unit.
    r"|\bv(add|sub|mul|div|fm[as]|ml[as]|nm\w+|max|min|cmp|abs|neg|sqrt|cvt\w*|rint\w)\.f(16|32|64)\b"
)

INSTRUCTION = re.compile(r"^ *[0-9a-f]+:\s+(?:\{\w+\} )?(\S+)", re.M)
"""The name in a line of a disassembly."""

PLANTED = """
#include <stddef.h>
void scale(float *x, size_t count, int by) {
    for (size_t i = 0; i < count; i++) {
        x[i] = x[i] * 1.5f + (float)by;
    }
}
"""


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A file that floats."""
    path = tmp_path / "planted.c"
    path.write_text(PLANTED)
    return path


def sources(emitted: Path) -> list[Path]:
    """Every C file of the program and the runtime; not `main.c`, which prints."""
    return [*sorted((emitted / "src").glob("*.c")), emitted / "vectors.c"]


def headers(emitted: Path) -> list[Path]:
    return [emitted / "include", emitted / "src", emitted]


def foreign(symbols: set[str]) -> set[str]:
    """Symbols that an emitted program may not need."""
    return {name for name in symbols - ALLOWED if not INTEGER_HELPERS.fullmatch(name)}


@pytest.mark.parametrize("target", SOFT_FLOAT, ids=str)
def test_soft_float_needs_no_helper(emitted: Path, planted: Path, tmp_path: Path, target: Target) -> None:
    target.need()
    objects = compile_each(
        target, sources(emitted), headers(emitted), tmp_path / "objects", *optimized(target)
    )
    assert foreign(undefined_symbols(target, objects)) == set()
    found = foreign(undefined_symbols(target, compile_each(target, [planted], [], tmp_path, "-O1")))
    assert any("mul" in name for name in found)
    assert any("add" in name for name in found)


@pytest.mark.parametrize("target", GENERAL_REGISTERS, ids=str)
def test_general_registers_are_enough(emitted: Path, planted: Path, tmp_path: Path, target: Target) -> None:
    target.need()
    assert INTEGER in target.flags
    compile_each(target, sources(emitted), headers(emitted), tmp_path / "objects", *optimized(target))
    with pytest.raises(AssertionError, match="planted"):
        compile_each(target, [planted], [], tmp_path, "-O1")


@pytest.mark.parametrize("target", VECTORS, ids=str)
def test_vector_paths_hold_no_float_instruction(
    emitted: Path, planted: Path, tmp_path: Path, target: Target
) -> None:
    target.need()

    def float_instructions(objects: list[Path]) -> list[str]:
        command = [target.tool("objdump"), "-d", "--no-show-raw-insn", *map(str, objects)]
        if target.name == "cortex-m55":
            need("llvm-objdump")
            command = [
                "llvm-objdump",
                "-d",
                "--mattr=+mve.fp,+fp64",
                "--no-show-raw-insn",
                *map(str, objects),
            ]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert text.count("\n") > 10
        # Addresses and registers differ in every line, names of instructions hardly ever.
        names = set(INSTRUCTION.findall(text))
        assert len(names) > 3
        return sorted(name for name in names if FLOAT_INSTRUCTIONS.search(name))

    objects = compile_each(
        target, sources(emitted), headers(emitted), tmp_path / "objects", *optimized(target)
    )
    assert float_instructions(objects) == []
    assert float_instructions(compile_each(target, [planted], [], tmp_path, "-O3"))


def test_the_words_do_not_occur(emitted: Path) -> None:
    """Only the host's side has floats: the header of scales, which nothing of the program includes."""
    scales = emitted / "include" / "model_scales.h"
    files = {*sources(emitted), *(emitted / "src").glob("*.h"), *(emitted / "include").glob("*.h")}
    assert scales in files
    for path in files - {scales}:
        code = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
        assert scales.name not in code
        assert not re.search(r"\b(float|double|malloc|calloc)\b|\b\d+\.\d", code), path
