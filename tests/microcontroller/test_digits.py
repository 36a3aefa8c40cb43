"""The example's own parts: pictures, training, recognition, and what its trained model draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from digits.model import PIPELINE, load_unet, sample, to_pictures, to_values
from digits.pictures import DIGITS, SIZE, STYLES, draw
from digits.recognise import Recogniser
from digits.train import Trainer

import dgqc


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser()


def test_pictures_lie_inside_and_depend_on_the_seed_alone() -> None:
    for digit in range(DIGITS):
        drawn = [draw(digit, np.random.default_rng(seed)) for seed in range(30)]
        for picture in drawn:
            assert (picture.shape, picture.dtype) == ((SIZE, SIZE), np.uint8)
            assert 8 < (picture > 127).sum() < 110
            assert picture.max() == 255
        assert np.array_equal(drawn[3], draw(digit, np.random.default_rng(3)))
        assert len({picture.tobytes() for picture in drawn}) == 30


def test_every_style_is_drawn_and_recognised(recogniser: Recogniser) -> None:
    assert sorted(STYLES) == list(range(DIGITS))
    rng = np.random.default_rng(99)
    labels = np.repeat(np.arange(DIGITS), 40)
    read = recogniser.read(np.stack([draw(int(label), rng) for label in labels]))
    assert (read == labels).mean() > 0.99


def test_noise_is_not_recognised_as_one_digit_alone(recogniser: Recogniser) -> None:
    """A recogniser that always says the same would pass for right in a tenth of all cases."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, size=(300, SIZE, SIZE)).astype(np.uint8)
    labels = np.repeat(np.arange(DIGITS), 30)
    assert (recogniser.read(noise) == labels).mean() < 0.3


def test_values_and_pictures_are_each_others_inverse() -> None:
    picture = np.arange(256, dtype=np.uint8).reshape(1, SIZE, SIZE)
    assert np.array_equal(to_pictures(to_values(picture)), picture)


def test_training_is_reproducible_and_exports_a_pipeline(tmp_path: Path) -> None:
    losses = []
    for _ in range(2):
        trainer = Trainer(steps=10)
        losses.append([trainer.train_step() for _ in range(2)])
    assert losses[0] == losses[1]
    trainer.export(tmp_path)
    stored = load_unet(tmp_path).state_dict()
    for name, weight in trainer.average.state_dict().items():
        assert torch.equal(stored[name], weight.half().float())


def test_the_model_is_as_small_as_it_says() -> None:
    assert sum(parameter.numel() for parameter in load_unet().parameters()) == 177_489
    assert sum(file.stat().st_size for file in PIPELINE.rglob("*") if file.is_file()) < 400_000


def test_the_float_model_draws_digits(recogniser: Recogniser) -> None:
    labels = list(range(DIGITS)) * 2
    assert (recogniser.read(sample(load_unet(), labels, seed=0)) == labels).mean() >= 0.95


def test_the_compiled_model_draws_digits(bundle: Path, recogniser: Recogniser) -> None:
    compiled = dgqc.load(bundle)
    labels = list(range(DIGITS)) * 4
    drawn = [
        compiled.draw_sample(seed, class_labels=torch.tensor([label])) for seed, label in enumerate(labels)
    ]
    assert (recogniser.read(to_pictures(torch.cat(drawn))) == labels).mean() >= 0.95
