"""Several programs in one C project: what make builds of it, and how its constants come and go."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from dgqc.backends.c.emission.joined import emit_joined

from .kernels import planned
from .unet_like import unet_like

CALLER = r"""
#include <stdint.h>
#include <stdio.h>
#include "map_weights.h"
enum { KIB = 1024, LEAST = 6000 };
static unsigned long resident(void)
{
    char line[256];
    unsigned long found = 0;
    FILE *const file = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "RssFile: %lu", &found) == 1) break;
    }
    fclose(file);
    return found;
}
static unsigned long sum(const unsigned char *at, size_t bytes)
{
    unsigned long found = 0;
    for (size_t i = 0; i < bytes; i++) found += at[i];
    return found;
}
int main(int count, char **arguments)
{
    size_t bytes = 0;
    const unsigned char *const weights = map_weights(arguments[count - 1], &bytes);
    const unsigned long first = sum(weights, bytes), before = resident();
    unsigned long after;
    let_go_of(weights + 100, bytes - 200);
    after = resident();
    return sum(weights, bytes) != first ? 1 : after + LEAST > before ? 2 : 0;
}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("joined") / "c"
    emit_joined({"unet": planned(unet_like(3)), "decoder": planned(unet_like(5))}, folder, "model")
    return folder


def commands(project: Path, *arguments: str) -> str:
    """What make would do."""
    command = ["make", "-n", "CC=gcc", "OPENMP=0", *arguments]
    return subprocess.run(command, cwd=project, check=True, capture_output=True, text=True).stdout


@pytest.mark.skipif(platform.machine() != "x86_64", reason="paths of x86-64")
def test_make_builds_every_program_for_every_path(project: Path) -> None:
    text = commands(project)
    for path in ("avx2", "avxvnni", "avx512", "avx512vbmi", "amx"):
        for source in ("model", "model_decoder", "dgqc_tile"):
            assert f"-DDGQC_PATH={path} -c -o build/{path}-{source}.o src/{source}.c" in text
        assert f"build/{path}-model_parts.o" not in text
    for program in ("model", "model_decoder"):
        assert f"-c -o build/paths_{program}.o paths_{program}.c" in text
    assert "-o model_parts_test build/main.o build/map_weights.o build/libmodel_parts.a" in text
    assert "model_parts_draw" not in text
    assert "paths_model" not in commands(project, "ARCH=")


@pytest.mark.slow
def test_what_make_builds_runs_every_program(project: Path) -> None:
    subprocess.run(["make", "-j2", "ARCH=", "CFLAGS=-O1"], cwd=project, check=True, capture_output=True)
    said = subprocess.run(["./model_parts_test"], cwd=project, check=True, capture_output=True, text=True)
    assert said.stdout.count("status 0") == 2


@pytest.mark.skipif(sys.platform != "linux", reason="how much is in memory is asked from Linux")
def test_constants_that_are_let_go_leave_memory_and_come_back(project: Path, tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(CALLER)
    (tmp_path / "weights").write_bytes(os.urandom(8 << 20))
    sources = [str(tmp_path / "main.c"), "map_weights.c"]
    flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I.", "-Iinclude"]
    caller = str(tmp_path / "caller")
    subprocess.run(["gcc", *flags, *sources, "-o", caller], cwd=project, check=True)
    assert subprocess.run([caller, str(tmp_path / "weights")], check=False).returncode == 0
