"""The joined C project as its users build and call it: by make, from threads, from other languages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import dgqc

from .test_parts import compiled_whole

PAGE = Path(__file__).parents[2] / "docs" / "pictures.md"
PROMPT = "a red circle"
SEEDS = (3, 4)


@pytest.fixture(scope="module")
def compiled() -> dgqc.CompiledProgram:
    return compiled_whole()


@pytest.fixture(scope="module")
def project(compiled: dgqc.CompiledProgram, tmp_path_factory: pytest.TempPathFactory) -> Path:
    bundle = compiled.save(tmp_path_factory.mktemp("joined") / "all.dgqc", targets=("c",))
    return bundle / "parts" / "c"


@pytest.fixture(scope="module")
def built(project: Path) -> Path:
    """By its Makefile, for any processor."""
    done(["make", "-j2", "ARCH=", "CFLAGS=-O1"], project)
    return project


def done(command: list[str], folder: Path, **environment: str) -> str:
    """What a command prints; the test fails with what it complains about."""
    given = {**os.environ, **environment}
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=given)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def example(language: str) -> str:
    """The one program of a language on the page."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), flags=re.DOTALL | re.MULTILINE)
    return str(found)


def same(file: Path, compiled: dgqc.CompiledProgram, seed: int, **how: Any) -> None:
    wanted = compiled.draw(PROMPT, seed, backend="reference", **how)
    assert np.array_equal(np.asarray(Image.open(file)), np.asarray(wanted))


@pytest.mark.slow
def test_what_make_builds_draws(built: Path, compiled: dgqc.CompiledProgram, tmp_path: Path) -> None:
    said = done(["./model_parts_test"], built)
    assert said.count("status 0") == 3
    picture = tmp_path / "picture.ppm"
    asked = ["--seed", "3", "--guidance", "2.25", "--negative", "blue", "-o", str(picture)]
    for threads in ("1", "3"):
        done(["./model_parts_draw", PROMPT, *asked], built, OMP_NUM_THREADS=threads)
        same(picture, compiled, 3, negative="blue", guidance_scale=2.25)


@pytest.mark.slow
@pytest.mark.skipif("avx2" not in Path("/proc/cpuinfo").read_text(), reason="has no AVX2")
def test_paths_of_one_library_draw_the_same(
    project: Path, compiled: dgqc.CompiledProgram, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(project, tmp_path / "several", ignore=shutil.ignore_patterns("build")))
    done(["make", "-j2", "CC=gcc", "CFLAGS=-O1", "OPENMP=0", "PATHS=avx2", "model_parts_draw"], folder)
    picture = tmp_path / "picture.ppm"
    for path in ("portable", "avx2"):
        asked = ["./model_parts_draw", PROMPT, "--seed", "3", "-o", str(picture)]
        done(asked, folder, DGQC_PROCESSOR=path)
        same(picture, compiled, 3)


@pytest.mark.slow
def test_two_threads_of_cpp_draw_at_once(built: Path, compiled: dgqc.CompiledProgram, tmp_path: Path) -> None:
    """The page's program: programs, an arena and a memory for each, and constants that they share."""
    (tmp_path / "main.cpp").write_text(example("cpp"))
    sources = [str(tmp_path / "main.cpp"), "build/map_weights.o", "build/libmodel_parts.a"]
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-fopenmp", "-pthread", "-I.", "-Iinclude"]
    done(["g++", *flags, *sources, "-o", str(tmp_path / "two")], built)
    weights = str(built / "model_parts_weights.bin")
    done([str(tmp_path / "two"), weights, PROMPT, *map(str, SEEDS)], tmp_path)
    for seed in SEEDS:
        same(tmp_path / f"{seed}.ppm", compiled, seed)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("rustc") is None, reason="rustc isn't installed")
def test_rust_draws(built: Path, compiled: dgqc.CompiledProgram, tmp_path: Path) -> None:
    headers = "".join(path.read_text() for path in (built / "include").glob("model_parts*.h"))
    source = example("rust")
    for name in ("PARTS_WEIGHTS_BYTES", "PARTS_WIDTH", "PARTS_HEIGHT"):
        (number,) = re.findall(rf"#define MODEL_{name} (\d+)", headers)
        source = source.replace(f"= MODEL_{name};", f"= {number};")
    (tmp_path / "main.rs").write_text(source)
    command = ["rustc", "-L", "build", "-C", "link-arg=-fopenmp", "-o", str(tmp_path / "draw")]
    done([*command, str(tmp_path / "main.rs")], built)
    done([str(tmp_path / "draw"), str(built / "model_parts_weights.bin"), PROMPT, "3"], tmp_path)
    same(tmp_path / "3.ppm", compiled, 3)
