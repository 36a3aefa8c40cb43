"""Emitted programs under the sanitizers, and without a warning from any compiler.

Signed overflow is never relied on: UndefinedBehaviorSanitizer stops at the first one, on every path that this
machine can run. `-Wconversion` (which is `-Wsign-conversion` too) is quiet without exception, on 64 and 32
bits.
"""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest
from toolchains import NATIVE, STRICT, Target, compile_each, need, need_linking, optimized

SANITIZED = (
    "-O1",
    "-g1",
    "-fsanitize=undefined,address",
    "-fno-sanitize-recover=all",
    "-fno-omit-frame-pointer",
)
PATHS = {"portable": ("-DDGQC_PORTABLE",), "native": ("-march=native",)}
"""The generic paths, and those that this machine's instructions choose."""

X86 = platform.machine() in ("x86_64", "AMD64")


OTHERS = ("gcc, avx2", "clang, avx512-vnni")
"""Compilers of paths that the other one reads in the quick tests."""


def files(emitted: Path) -> tuple[list[Path], list[Path]]:
    """Sources, the test program included, and where their headers are."""
    sources = [*sorted((emitted / "src").glob("*.c")), emitted / "main.c", emitted / "vectors.c"]
    return sources, [emitted / "include", emitted / "src", emitted]


@pytest.mark.parametrize(
    ("compiler", "path"),
    [
        ("gcc", "native"),
        ("clang", "portable"),
        pytest.param("gcc", "portable", marks=pytest.mark.slow),
        pytest.param("clang", "native", marks=pytest.mark.slow),
    ],
)
def test_sanitizers_find_nothing(emitted: Path, tmp_path: Path, compiler: str, path: str) -> None:
    need_linking(compiler, *SANITIZED)
    sources, headers = files(emitted)
    target = Target(path, compiler, (*SANITIZED, *PATHS[path]))
    objects = compile_each(target, sources, headers, tmp_path / "objects")
    program = tmp_path / "sanitized"
    subprocess.run([compiler, *SANITIZED, *map(str, objects), "-o", program], check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 drawing, 0 elements wrong" in done.stdout


PLANTED = {
    "overflow": "int main(int n, char **v) { (void)v; volatile int x = 2147483647; x = x + n; return 0; }",
    "shift": "int main(int n, char **v) { (void)v; volatile int x = -n; x = x << 3; return 0; }",
    "outside": "int main(int n, char **v) { (void)v; volatile char a[4] = {0}; a[3 + n] = 1; return 0; }",
}


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("mistake", PLANTED)
def test_sanitizers_would_find_it(tmp_path: Path, compiler: str, mistake: str) -> None:
    need_linking(compiler, *SANITIZED)
    (tmp_path / "planted.c").write_text(PLANTED[mistake])
    command = [compiler, "-std=c99", *SANITIZED, "-w", tmp_path / "planted.c", "-o", tmp_path / "planted"]
    subprocess.run(command, check=True)
    assert subprocess.run([tmp_path / "planted"], capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=pytest.mark.slow) if one in OTHERS else one for one in NATIVE]
)
def test_compilers_are_quiet(emitted: Path, tmp_path: Path, name: str) -> None:
    """Other machines' compilers are asked where their programs run, in `test_machines`."""
    target = NATIVE[name]
    target.need()
    if "avx" in target.name and not X86:
        pytest.skip("this machine's compilers don't know AVX")
    sources, headers = files(emitted)
    compile_each(target, sources, headers, tmp_path, *optimized(target))


def test_a_narrowing_conversion_is_not_quiet(tmp_path: Path) -> None:
    (tmp_path / "planted.c").write_text("short f(int x) { return x; }\n")
    for compiler in ("gcc", "clang"):
        need(compiler)
        with pytest.raises(AssertionError, match="conversion"):
            compile_each(Target(compiler, compiler, ()), [tmp_path / "planted.c"], [], tmp_path, *STRICT)
