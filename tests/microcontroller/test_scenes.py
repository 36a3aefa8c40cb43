"""The example with a prompt: what its model draws, and the same bits on every emulated machine."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scenes.model import PIPELINE
from scenes.show import read_pictures
from toolchains import need

import dgqc
from dgqc.demo_model import load_pipeline
from dgqc.demo_model.evaluate import GUIDANCE, alignment, draw_with
from dgqc.demo_model.pictures import STILL, Scene, parse_caption, sample_scene

from .conftest import SCENES, Make, assert_fits, maker
from .test_boards import MACHINES, STACK

STEPS = 10
FLASH, RAM = 1024 * 1024, 512 * 1024


def scenes_of_one_shape(count: int) -> list[Scene]:
    """What the model has learned to draw: background, position, size, colour and shape are named."""
    rng = np.random.default_rng(3001)
    return [replace(sample_scene(rng, lone_share=1.0), offsets=STILL) for _ in range(count)]


def test_the_model_is_as_small_as_it_says() -> None:
    pipeline = load_pipeline(PIPELINE)
    parts = (pipeline.unet, pipeline.text_encoder)
    assert sum(weight.numel() for part in parts for weight in part.parameters()) == 544_592
    assert sum(file.stat().st_size for file in PIPELINE.rglob("*") if file.is_file()) < 1_300_000


def test_the_float_model_draws_what_is_named() -> None:
    scenes = scenes_of_one_shape(32)
    captions, seeds = [scene.caption() for scene in scenes], list(range(len(scenes)))
    pictures = draw_with(load_pipeline(PIPELINE), captions, seeds, STEPS)
    assert alignment(pictures, scenes) >= 0.9
    assert alignment(pictures[::-1].copy(), scenes) < 0.7


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenes")


@pytest.fixture(scope="module")
def make(build: Path) -> Make:
    return maker(SCENES, build, "PICTURES=1")


@pytest.fixture(scope="module")
def bundle(make: Make, build: Path) -> Path:
    make(f"{build}/scenes.dgqc/manifest.json")
    return build / "scenes.dgqc"


@pytest.fixture(scope="module")
def host(make: Make, bundle: Path, build: Path) -> str:
    make(f"{build}/host.text")
    return (build / "host.text").read_text()


@pytest.mark.slow
def test_the_integers_draw_what_is_named(bundle: Path) -> None:
    scenes = scenes_of_one_shape(64)
    program = dgqc.load(bundle)
    drawn = [
        program.draw(scene.caption(), seed=seed, guidance_scale=GUIDANCE, backend="c")
        for seed, scene in enumerate(scenes)
    ]
    assert alignment(np.stack([np.asarray(picture) for picture in drawn]), scenes) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
def test_every_bit_is_the_hosts(machine: str, make: Make, host: str) -> None:
    need(*MACHINES[machine])
    assert f"{machine}: every bit as on the host" in make(f"agree-{machine}")
    assert host.startswith("prompt a large red circle at the left")


@pytest.mark.slow
def test_the_host_draws_what_python_draws(host: str, bundle: Path) -> None:
    ((prompt, drawn),) = read_pictures(host).items()
    expected = dgqc.load(bundle).draw(prompt, seed=0, guidance_scale=GUIDANCE, backend="reference")
    assert np.array_equal(drawn, np.asarray(expected))
    assert alignment(drawn[None], [parse_caption(prompt)]) >= 0.8


@pytest.mark.slow
def test_it_fits_a_real_part_and_counts(make: Make, bundle: Path) -> None:
    need(*MACHINES["m4"], "arm-none-eabi-size")
    text = make("size")
    assert_fits(text, FLASH, RAM, STACK)
    counted = [int(number) for number in re.findall(r"# instructions a picture: (\d+)", text)]
    assert len(counted) == 3
    assert all(10**8 < number < 10**10 for number in counted)
