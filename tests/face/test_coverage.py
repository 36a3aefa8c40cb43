"""`dgqc calibrate --coverage`: pictures round by round, until no range grows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import architectures
import pytest
import torch
from diffusers import DDIMPipeline, DDIMScheduler

from dgqc import load_calibration
from dgqc.frontends.calibrating.rounds import rounds

Run = Callable[..., tuple[int, str, str]]
STEPS = 2
OPTIONS = ("--steps", STEPS, "--batch-size", 2)


@pytest.fixture(scope="module")
def unconditional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline")
    DDIMPipeline(architectures.small(), DDIMScheduler(clip_sample=False)).save_pretrained(folder)
    return folder


def samples(file: Path, step: int) -> torch.Tensor:
    return torch.cat([batch["sample"] for batch in load_calibration(file).read(step)])


def grown(file: Path, before: int, pictures: int) -> float:
    """Of what the first convolution reads, which is the sample itself: the mean of the calls."""

    def width(step: int, count: int) -> float:
        seen = samples(file, step)[:count]
        return float(seen.max() - seen.min())

    return sum(1 - width(step, before) / width(step, pictures) for step in range(STEPS)) / STEPS


def test_what_each_round_added(run: Run, unconditional: Path, tmp_path: Path) -> None:
    file = tmp_path / "c.safetensors"
    asked = ("calibrate", unconditional, "-o", file, *OPTIONS, "--coverage", "--samples", 12, "--growth", 0)
    code, out, _ = run(*asked, "--json")
    assert code == 0
    found = json.loads(out)["coverage"]
    assert (found["limit"], found["covered"]) == (0, False)
    assert [one["pictures"] for one in found["rounds"]] == [8, 12]
    for before, one in zip((4, 8), found["rounds"], strict=True):
        assert one["sites"]["conv_in.input"] == pytest.approx(grown(file, before, one["pictures"]), abs=1e-6)
        assert one["mean"] == pytest.approx(sum(one["sites"].values()) / len(one["sites"]))
        assert one["growing"] == sum(share > 0 for share in one["sites"].values()) > 0
    code, out, _ = run(*asked)
    lines = out.splitlines()
    assert all(len(line) <= 80 for line in lines[:-2])
    heads = [line.split()[-2:] for line in lines if line.startswith("range grew by")]
    assert heads == [["8", "12"]]
    last = found["rounds"][-1]
    widest = max(last["sites"], key=lambda name: last["sites"][name])
    assert next(line for line in lines if "%" in line).split()[-2] == f"{100 * last['sites'][widest]:.1f}"
    assert f"{last['growing']} of {len(last['sites'])} ranges still grew by more than 0 % from 8 to 12" in out


def test_it_stops_where_none_grows(run: Run, unconditional: Path, tmp_path: Path) -> None:
    """The pictures are the first of those that would have been drawn."""
    whole, part = tmp_path / "whole.safetensors", tmp_path / "part.safetensors"
    assert run("calibrate", unconditional, "-o", whole, *OPTIONS, "--samples", 12)[0] == 0
    given = ("--coverage", "--samples", 12, "--growth", 99)
    code, out, _ = run("calibrate", unconditional, "-o", part, *OPTIONS, *given)
    assert code == 0
    assert out.startswith("No range grew by more than 99 % from 4 to 8 pictures: these are enough.")
    assert "8 pictures by DDIMPipeline" in out
    for step in range(STEPS):
        assert torch.equal(samples(part, step), samples(whole, step)[:8])


def test_pictures_that_no_pipeline_draws(run: Run, tmp_path: Path) -> None:
    """Its pipeline doesn't know classes: denoised from noise in rounds, no two of one noise."""
    folder, file = tmp_path / "pipeline", tmp_path / "c.safetensors"
    DDIMPipeline(architectures.class_conditional(), DDIMScheduler()).save_pretrained(folder)
    asked = ("calibrate", folder, "-o", file, *OPTIONS, "--coverage", "--samples", 8, "--json")
    code, out, _ = run(*asked)
    assert code == 0
    assert [one["pictures"] for one in json.loads(out)["coverage"]["rounds"]] == [8]
    assert len(samples(file, 0).flatten(1).unique(dim=0)) == 8


def test_rounds_double() -> None:
    assert list(rounds(20, 4)) == [(0, 4), (4, 8), (8, 16), (16, 20)]
    assert list(rounds(3, 4)) == [(0, 3)]


def test_refusals(run: Run, unconditional: Path, tmp_path: Path) -> None:
    start = ("calibrate", unconditional, "-o", tmp_path / "c.safetensors", *OPTIONS, "--coverage")
    code, _, error = run(*start, "--samples", 4)
    assert (code, "4 pictures in batches of 2 are a single round" in error) == (2, True)
    code, _, error = run(*start, "--part", "controlnet")
    assert (code, "looks at a UNet's ranges, not at controlnet's" in error) == (2, True)
