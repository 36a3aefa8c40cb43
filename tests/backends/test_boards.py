"""Recipes for boards: each file is taken as its build system takes it, as far as that goes without it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from toolchains import PLAIN

from dgqc.backends import reference
from dgqc.backends.c import Storage, Vector, emit

from .kernels import planned
from .unet_like import inputs_of, unet_like

EXAMPLE = Path(__file__).parents[2] / "examples" / "boards" / "board_files.py"
RIGHT = "model: 1 vectors, 0 elements wrong\n"
ZEPHYR = """
cmake_minimum_required(VERSION 3.10)
project(board C)
macro(zephyr_include_directories)
  include_directories(${ARGN})
endmacro()
macro(zephyr_library_named name)
  set(library ${name})
  add_library(${name} STATIC)
endmacro()
macro(zephyr_library_include_directories)
  target_include_directories(${library} PRIVATE ${ARGN})
endmacro()
macro(zephyr_library_compile_options)
endmacro()
macro(zephyr_library_compile_definitions)
  target_compile_definitions(${library} PRIVATE ${ARGN})
endmacro()
macro(zephyr_library_sources)
  target_sources(${library} PRIVATE ${ARGN})
endmacro()
set(CONFIG_MODEL y)
set(CONFIG_MODEL_SELFTEST y)
include(${MODULE}/zephyr/CMakeLists.txt)
add_executable(board main.c)
target_link_libraries(board model)
"""
"""The macros of Zephyr that the module calls, as its documentation says what they do, for this machine."""
MAIN = "int model_selftest(void);\nint main(void) { return model_selftest(); }\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("emitted") / "c"
    program = planned(unet_like())
    inputs = inputs_of(program)
    emit(program, folder, vectors=[Vector(0, inputs, reference.run(program, inputs, 0))])
    return folder


@pytest.fixture(scope="module")
def made(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("board") / "model"
    assert run(project, place).returncode == 0
    return place


def run(project: Path, place: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLE), str(project), str(place), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_zephyr_module_links_its_test(made: Path, tmp_path: Path) -> None:
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")
    (tmp_path / "CMakeLists.txt").write_text(ZEPHYR)
    (tmp_path / "main.c").write_text(MAIN)
    build = tmp_path / "build"
    plain = " ".join(("-std=c99", *PLAIN))
    asked = ["cmake", "-S", tmp_path, "-B", build, f"-DMODULE={made}", f"-DCMAKE_C_FLAGS={plain}"]
    subprocess.run(asked, check=True, capture_output=True)
    subprocess.run(["cmake", "--build", build, "-j2"], check=True, capture_output=True)
    assert subprocess.run([build / "board"], capture_output=True, text=True, check=True).stdout == RIGHT
    kconfig = (made / "zephyr" / "Kconfig").read_text()
    assert "config MODEL\n    bool " in kconfig
    assert (made / "zephyr" / "module.yml").read_text().startswith("name: model\nbuild:\n  cmake: zephyr\n")


def test_the_page_sets_what_the_module_has(made: Path) -> None:
    """Kconfig takes a comment behind a number for a part of it, and stops."""
    page = (EXAMPLE.parent / "README.md").read_text()
    given = dict(re.findall(r"^    CONFIG_(\w+)=(.*)$", page, re.MULTILINE))
    options = re.findall(r"^config (\w+)$", (made / "zephyr" / "Kconfig").read_text(), re.MULTILINE)
    assert [name for name in given if name.startswith("MODEL")] == options
    assert all(re.fullmatch(r"y|\d+", value) for value in given.values())


def test_platformio_compiles_what_the_library_names(made: Path, tmp_path: Path) -> None:
    """As it does: every source below srcDir, with the library's flags, from the library's folder."""
    library = json.loads((made / "library.json").read_text())
    build = library["build"]
    sources = sorted((made / build["srcDir"]).glob("*.c"))
    test = [made / "selftest" / name for name in ("main.c", "vectors.c")]
    flags = [part for flag in build["flags"] for part in flag.split()]
    assert flags.pop(0) == "-O3"
    command = ["cc", "-std=c99", *PLAIN, *flags, "-I", build["includeDir"], "-I", "selftest", "-c"]
    objects = [str(tmp_path / f"{one.stem}.o") for one in (*sources, *test)]
    for source, place in zip((*sources, *test), objects, strict=True):
        subprocess.run([*command, str(source), "-o", place], cwd=made, check=True, capture_output=True)
    subprocess.run(["cc", *objects, "-o", str(tmp_path / "board")], check=True)
    assert subprocess.run([tmp_path / "board"], capture_output=True, text=True, check=True).stdout == RIGHT


def test_a_pack_names_every_source_and_nothing_else(made: Path) -> None:
    root = ElementTree.parse(made / "Own.model.pdsc").getroot()
    names = [file.get("name", "") for file in root.iter("file")]
    assert all((made / name).exists() for name in names)
    listed = {name for name in names if name.endswith(".c")}
    assert listed == {f"src/{path.name}" for path in (made / "src").glob("*.c")}
    (release,) = root.iter("release")
    assert release.get("version") == "1.0.0"


def test_what_does_not_fit_is_one_sentence(project: Path, made: Path, tmp_path: Path) -> None:
    for given, place, options, wanted in (
        (tmp_path, tmp_path / "new", (), "holds no emitted C project"),
        (project, made, (), "exists and is not empty"),
        (project, tmp_path / "new", ("--vendor", "A B"), "--vendor is 'A B'"),
        (project, tmp_path / "new", ("--version", "one"), "it is written as 1.0.0"),
    ):
        done = run(given, place, *options)
        assert done.returncode == 1
        assert wanted in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    emit(planned(unet_like()), tmp_path / "file", storage=Storage.FILE)
    assert "compile with --weights array" in run(tmp_path / "file", tmp_path / "new").stderr
