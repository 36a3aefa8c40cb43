"""A bundle depends on inputs, options and versions, and on nothing else that a machine differs in."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import fresh_python
import pytest
import torch
from diffusers import UNet2DModel

import dgqc

TESTS = Path(__file__).parents[1]
SCRIPT = """
import sys
import torch
torch.set_num_threads(int(sys.argv[2]))
import architectures
import dgqc
program = dgqc.compile(architectures.small(), "w4a6", steps=3, samples=2, batch_size=1)
assert torch.get_num_threads() == int(sys.argv[2])
program.save(sys.argv[1])
"""

COMMANDS = """
import os
import shutil
import sys
import torch
from diffusers import UNet2DModel
torch.set_num_threads(int(sys.argv[2]))
from dgqc.cli.main import run
from dgqc.demo_model import pipeline_dir
place = sys.argv[1]
os.makedirs(place)
torch.manual_seed(0)
sizes = {"sample_size": 8, "block_out_channels": (8,), "norm_num_groups": 4, "layers_per_block": 1}
blocks = {"down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",), "add_attention": False}
UNet2DModel(**sizes, **blocks).save_pretrained(f"{place}/../model")
few = ["--steps", "2", "--calib-prompts", "1", "--held-out", "1", "--presets", "naive", "--bits", "w8a8"]
assert run(["compare", f"{place}/../model", *few, "-o", f"{place}/compared"]) == 0
shutil.rmtree(f"{place}/compared/measured")
os.remove(f"{place}/compared/seconds.csv")
# What is recorded is an input: the pipeline itself has the threads that it is given.
torch.set_num_threads(1)
with open(f"{place}/../prompts.txt", "w") as file:
    file.write("a red square\\na green circle\\n")
recorded = ["--steps", "2", "-o", f"{place}/recorded.safetensors"]
assert run(["calibrate", str(pipeline_dir()), "--prompts", f"{place}/../prompts.txt", *recorded]) == 0
"""


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def made(script: str, place: Path, threads: int, **environment: str) -> dict[str, bytes]:
    """The files that a process of its own makes, with nothing in its cache but compiled kernels.

    Python starts anew where strings get other hashes; else everything is imported already.
    """
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    caches = {"DGQC_CACHE": str(place / "cache")}
    if "PYTHONHASHSEED" not in environment:
        given = {**caches, **environment}
        done = fresh_python.run(script, place / "bundle", str(threads), paths=[TESTS], environment=given)
        assert done.returncode == 0, done.stderr
        return files_of(place / "bundle")
    subprocess.run(
        [sys.executable, "-c", script, str(place / "bundle"), str(threads)],
        env={**os.environ, "PYTHONPATH": path, **caches, **environment},
        check=True,
        capture_output=True,
    )
    return files_of(place / "bundle")


@pytest.mark.parametrize(
    "script",
    [pytest.param(SCRIPT, id="compile"), pytest.param(COMMANDS, id="others", marks=pytest.mark.slow)],
)
def test_threads_hash_seed_time_zone_and_locale_change_no_byte(tmp_path: Path, script: str) -> None:
    # The first has this process' hashes, which are random.
    first = made(script, tmp_path / "first", 1, TZ="UTC", LC_ALL="C")
    second = made(script, tmp_path / "second", 2, PYTHONHASHSEED="2", TZ="Asia/Tokyo", LC_ALL="C.UTF-8")
    assert [name for name in first if first[name] != second.get(name)] == []
    assert first.keys() == second.keys()
    assert first


def small_unet() -> UNet2DModel:
    torch.manual_seed(0)
    return UNet2DModel(
        sample_size=8,
        block_out_channels=(8,),
        norm_num_groups=4,
        layers_per_block=1,
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
        add_attention=False,
    )


def test_a_slower_machine_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples are drawn until ranges hardly grow, and a check follows: none of it goes by a clock."""

    def bundle(slower: float) -> dict[str, bytes]:
        with monkeypatch.context() as patched:
            for name in ("monotonic", "perf_counter"):
                clock = getattr(time, name)
                patched.setattr(time, name, lambda clock=clock: clock() * slower)
            program = dgqc.compile(small_unet(), "w8a8", steps=2)
        assert program.report["observe-ranges"]["samples"] > 2 * 16, "more were drawn than at first"
        return files_of(program.save(tmp_path / f"{slower}"))

    assert bundle(1e-6) == bundle(1e6)
