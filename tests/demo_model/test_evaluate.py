"""The classifier reads pictures, and alignment and Frechet distance mean what they say."""

from __future__ import annotations

import numpy as np
import pytest

from dgqc.demo_model.classifier import head_accuracy, load_classifier
from dgqc.demo_model.evaluate import (
    alignment,
    compare,
    draw_with,
    evaluation_scenes,
    frechet_distance,
    frechet_to_real,
    reference_pictures,
)
from dgqc.demo_model.pictures import Figure, Scene, draw, sample_scene

RED = Figure("large", "red", "circle")
BLUE = Figure("small", "blue", "square")


def test_classifier_is_right_on_held_out_pictures() -> None:
    rng = np.random.default_rng(11)
    accuracy = head_accuracy(load_classifier(), [sample_scene(rng, held_out=None) for _ in range(500)])
    assert np.mean(list(accuracy.values())) >= 0.98
    assert min(accuracy.values()) >= 0.97


def test_real_pictures_align_with_their_captions_only() -> None:
    scenes = evaluation_scenes(200)
    pictures = np.stack([draw(scene) for scene in scenes])
    assert alignment(pictures, scenes) >= 0.98
    assert alignment(pictures[::-1].copy(), scenes) < 0.6


def test_evaluation_scenes_are_fixed() -> None:
    assert evaluation_scenes(3) == evaluation_scenes(5)[:3]
    assert evaluation_scenes(3, unseen=True) != evaluation_scenes(3)


@pytest.mark.parametrize(
    ("drawn", "right"),
    [
        (Scene((RED, BLUE), "left of", "black"), 8),
        (Scene((BLUE, RED), "left of", "black"), 7),
        (Scene((BLUE, RED), "above", "black"), 7),
        (Scene((RED, BLUE), "left of", "white"), 7),
        (Scene((RED, RED), "left of", "black"), 5),
        (Scene((RED,), "left", "black"), 4),
        (Scene((BLUE,), "left", "black"), 4),
    ],
)
def test_compare_counts_what_was_drawn(drawn: Scene, right: int) -> None:
    answers = compare(Scene((RED, BLUE), "left of", "black"), drawn)
    assert sum(len(some) for some in answers.values()) == 8
    assert sum(sum(some) for some in answers.values()) == right


def test_compare_knows_the_opposite_order() -> None:
    answers = compare(Scene((BLUE, RED), "right of", "black"), Scene((RED, BLUE), "left of", "black"))
    assert all(all(some) for some in answers.values())


def test_an_extra_shape_spoils_only_the_position() -> None:
    answers = compare(Scene((BLUE,), "left", "black"), Scene((RED, BLUE), "left of", "black"))
    assert answers["position"] == [False]
    assert sum(sum(some) for some in answers.values()) == 4


def test_frechet_distance_of_equal_and_moved_features() -> None:
    features = np.random.default_rng(12).standard_normal((500, 4))
    assert frechet_distance(features, features) == pytest.approx(0.0, abs=1e-6)
    assert frechet_distance(features, features + 2.0) == pytest.approx(16.0, abs=1e-6)


def test_frechet_distance_separates_pictures_from_noise() -> None:
    real = np.stack([draw(scene) for scene in evaluation_scenes(512)])
    noise = np.random.default_rng(13).integers(0, 256, real.shape, dtype=np.uint8)
    assert frechet_to_real(real, real_count=1024) < 0.1 * frechet_to_real(noise, real_count=1024)


def test_frechet_reference_is_fixed() -> None:
    assert np.array_equal(reference_pictures(2), reference_pictures(3)[:2])


class _FakePipeline:
    """Answers like a pipeline, with latents that tell the seed."""

    def __call__(self, prompts: list[str], **options: object) -> object:
        import torch

        generators = options["generator"]
        assert isinstance(generators, list)
        values = [torch.rand(12, 16, 16, generator=generator) for generator in generators]

        class _Result:
            images = torch.stack(values)

        return _Result()


def test_draw_with_gives_each_prompt_its_seed() -> None:
    together = draw_with(_FakePipeline(), ["a"] * 5, [3, 4, 5, 6, 7], batch=2)
    alone = draw_with(_FakePipeline(), ["a"], [6])
    assert together.shape == (5, 32, 32, 3)
    assert np.array_equal(together[3], alone[0])
