"""The tests' C compiler: what it compiles anew, and what it hands out again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import kept_objects
import pytest

COMPILER = """#!/bin/sh
# Says what it is asked, and writes an object that is the flags and the source.
echo "$*" >> COUNT
case "$*" in *-DLOUD*) echo warning >&2 ;; *-DWRONG*) exit 3 ;; esac
for word; do case $before in -o) made=$word ;; esac; before=$word; done
[ -z "$made" ] || echo "object of $*" > "$made"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a source that includes a header, which includes another one."""
    for name, text in (("a.c", '#include "a.h"\n'), ("a.h", "# include <b.h>\n"), ("b.h", "int b;\n")):
        (tmp_path / name).write_text(text)
    compiler = tmp_path / "cc"
    compiler.write_text(COMPILER.replace("COUNT", str(tmp_path / "count")))
    compiler.chmod(0o755)
    return tmp_path


def compiled(folder: Path, *flags: str, made: str = "a.o") -> subprocess.CompletedProcess[str]:
    """a.c through what keeps objects."""
    command = kept_objects.launcher(str(folder / "kept"), str(folder / "cc"))
    asked = [command, "-std=c99", *flags, "-I.", "-c", "a.c", "-o", made]
    return subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=False)


def calls(folder: Path) -> int:
    return len((folder / "count").read_text().splitlines())


def test_the_same_is_compiled_once(folder: Path) -> None:
    assert compiled(folder).returncode == 0
    assert compiled(folder, made="other.o").returncode == 0
    assert calls(folder) == 1
    assert (folder / "other.o").read_bytes() == (folder / "a.o").read_bytes()


def test_flags_that_say_the_same_are_compiled_once(folder: Path) -> None:
    compiled(folder, "-O1", "-fPIC", "-Wall", "-w")
    compiled(folder, "-fPIC", "-O1", "-fPIC")
    assert calls(folder) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("-O1", "-O2"), ("-DINT=1", "-DINT=2"), ("-fa", "-fno-a"), ("-Wall", "-Wno-all")]
)
def test_the_last_of_two_that_contradict_counts(one: str, other: str, folder: Path) -> None:
    (folder / "b.h").write_text("INT b;\n")
    compiled(folder, one, other)
    compiled(folder, other, one)
    assert calls(folder) == 2


@pytest.mark.parametrize("file", ["a.c", "a.h", "b.h"])
def test_another_text_is_compiled(file: str, folder: Path) -> None:
    compiled(folder)
    (folder / file).write_text((folder / file).read_text() + "int more;\n")
    compiled(folder)
    assert calls(folder) == 2


def test_what_takes_in_other_files_is_compiled_anew(folder: Path) -> None:
    (folder / "a.c").write_text('__asm__(".incbin \\"weights.bin\\"");\n')
    compiled(folder)
    compiled(folder)
    assert calls(folder) == 2


def test_other_flags_and_compilers_compile_anew(folder: Path) -> None:
    compiled(folder)
    compiled(folder, "-O1")
    (folder / "cc").write_text((folder / "cc").read_text() + "# another release\n")
    compiled(folder)
    assert calls(folder) == 3


@pytest.mark.parametrize(
    ("text", "flag", "times"), [("", "-DWORD=1", 1), ("WORD\n", "-DWORD=1", 2), ("", "-march=native", 2)]
)
def test_a_word_that_stands_nowhere_changes_nothing(text: str, flag: str, times: int, folder: Path) -> None:
    (folder / "b.h").write_text(text)
    compiled(folder)
    compiled(folder, flag)
    assert calls(folder) == times


@pytest.mark.parametrize(("flag", "code", "said"), [("-DLOUD", 0, "warning\n"), ("-DWRONG", 3, "")])
def test_what_a_compiler_has_to_say_is_said_each_time(flag: str, code: int, said: str, folder: Path) -> None:
    for _ in range(2):
        done = compiled(folder, flag)
        assert (done.returncode, done.stderr) == (code, said)
    assert calls(folder) == 2


@pytest.mark.parametrize("flag", ["-g", "-fstack-usage", "-save-temps", "--coverage", "@more"])
def test_what_writes_more_than_an_object_is_not_kept(flag: str, folder: Path) -> None:
    compiled(folder, flag)
    compiled(folder, flag)
    assert calls(folder) == 2


def test_a_list_of_what_was_read_is_written(folder: Path) -> None:
    """Make and CMake ask for one; it names the source alone."""
    for _ in range(2):
        compiled(folder, "-MD", "-MT", "a.o", "-MF", "a.d")
    assert calls(folder) == 1
    assert (folder / "a.d").read_text() == "a.o: a.c\n"
