"""`torchrun -m dgqc compile`: the same bundle for any number of ranks, and after one has died."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import processor_seconds
import pytest
import torch
from diffusers import UNet2DConditionModel

OPTIONS = ("-O", "w4a6", "--steps", "3", "--samples", "3", "--batch-size", "1", "--context-length", "7")
KILLS, LATEST, SECONDS = 20, 0.8, "seconds"
"""How often a compile is killed; when at the latest, of what it takes; a file's name."""
FURTHER = ("--check", "off", "--look-ahead", "off", "--target", "reference")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "unet"
    torch.manual_seed(0)
    UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=4,
        cross_attention_dim=12,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    ).save_pretrained(folder)
    return folder


def command(count: int, *arguments: object) -> list[str]:
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    return [*(start if count > 1 else [sys.executable]), "-m", "dgqc", *map(str, arguments)]


def begun(count: int, model: Path, bundle: Path, cache: Path) -> subprocess.Popen[str]:
    """A compile by so many ranks; what it says is in its output."""
    whole = command(count, "compile", model, *OPTIONS, *FURTHER, "-o", bundle)
    environment = {**os.environ, "DGQC_CACHE": str(cache)}
    return subprocess.Popen(
        whole, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def files(bundle: Path) -> dict[str, bytes]:
    return {str(one.relative_to(bundle)): one.read_bytes() for one in bundle.rglob("*") if one.is_file()}


@pytest.fixture(scope="module")
def made(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where one process has compiled: its bundle, its cache, and the processor seconds that it took."""
    place, before = tmp_path_factory.mktemp("alone"), processor_seconds.spent()
    process = begun(1, model, place / "one.dgqc", place / "cache")
    said, _ = process.communicate()
    assert process.returncode == 0, said
    (place / SECONDS).write_text(f"{processor_seconds.spent() - before}")
    return place


@pytest.fixture(scope="module")
def alone(made: Path) -> dict[str, bytes]:
    """What one process makes."""
    return files(made / "one.dgqc")


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_the_bundle_is_the_same_for_any_number_of_ranks(
    count: int, model: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    process = begun(count, model, tmp_path / "all.dgqc", tmp_path / "cache")
    said, _ = process.communicate()
    assert process.returncode == 0, said
    assert said.count("Wrote ") == 1
    assert files(tmp_path / "all.dgqc") == alone


@pytest.mark.slow
def test_a_rank_that_dies_ends_the_run_which_goes_on_later(
    model: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    cache, bundle = tmp_path / "cache", tmp_path / "all.dgqc"
    process = begun(2, model, bundle, cache)
    while process.poll() is None and len(list(cache.rglob("*.safetensors"))) < 5:
        time.sleep(0.05)
    os.kill(_workers(process.pid)[1], signal.SIGKILL)
    said, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert re.search(
        r"^dgqc: (Pass gptq: )?Rank 0 of 2 (was told to end|has lost the others)", said, re.MULTILINE
    ), said
    assert not bundle.exists()
    kept = len(list(cache.rglob("*.safetensors")))
    process = begun(2, model, bundle, cache)
    again, _ = process.communicate()
    assert process.returncode == 0, again
    assert "units were found in" in again
    assert f"gptq: {kept} of" in again
    assert files(bundle) == alone


@pytest.mark.slow
def test_a_compile_that_is_killed_twenty_times_makes_the_same_bundle(
    model: Path, made: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    """All its processes at once: by turns at any moment, and as soon as a unit more is finished."""
    cache, bundle, chance = tmp_path / "cache", tmp_path / "all.dgqc", random.Random(0)
    units, seconds = len(finished(made / "cache")), float((made / SECONDS).read_text())
    kept = [0]
    while len(kept) <= KILLS:
        process = begun(2, model, bundle, cache)
        if len(kept) % 2 and kept[-1] < units:
            while process.poll() is None and len(finished(cache)) == kept[-1]:
                time.sleep(0.02)
        else:
            moment = chance.uniform(0, 2 * LATEST * seconds)  # of both ranks together
            while process.poll() is None and processor_seconds.running(process.pid) < moment:
                time.sleep(0.02)
        if process.poll() is None:
            _kill(process)
            kept.append(len(finished(cache)))
        else:
            assert files(bundle) == alone, process.communicate()
            shutil.rmtree(bundle)
    assert kept == sorted(kept)
    assert not bundle.exists()
    process = begun(2, model, bundle, cache)
    said, _ = process.communicate()
    assert process.returncode == 0, said
    assert f"gptq: {kept[-1]} of" in said
    assert files(bundle) == alone
    assert {one.name for one in tmp_path.iterdir()} == {"cache", "all.dgqc"}


def finished(cache: Path) -> list[Path]:
    """Units that the next run finds."""
    return list(cache.rglob("*.safetensors"))


def _kill(process: subprocess.Popen[str]) -> None:
    """With its workers, whom torchrun starts in sessions of their own."""
    for one in (process.pid, *_workers(process.pid)):
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    process.communicate()


def _workers(process: int) -> Sequence[int]:
    """The ranks that torchrun started, in order."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=True
    )
    return sorted(int(line) for line in listed.stdout.split())


@pytest.mark.slow
def test_ranks_share_the_rows_of_a_comparison(tmp_path: Path) -> None:
    asked = (
        *("compare", "--presets", "naive,ours", "--bits", "w8a8,w4a8", "--steps", "3", "--pictures", "17"),
        *("--no-unseen", "--calib-prompts", "2", "--held-out", "1", "--judge", "pixels"),
    )
    for count, output in ((1, tmp_path / "one"), (2, tmp_path / "two")):
        ended = subprocess.run(
            [*command(count, *asked, "-o", output)], capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.count("Everything: ") == 1
    for file in ("compare.json", "compare.md", "trajectory.csv"):
        assert (tmp_path / "two" / file).read_bytes() == (tmp_path / "one" / file).read_bytes()


@pytest.mark.slow
def test_other_commands_are_for_one_process() -> None:
    ended = subprocess.run(command(2, "targets"), capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert ended.stderr.count("is work for one process; start it without torchrun") == 1
