"""Pictures are deterministic, captions can be read back, and compositions are really held out."""

from __future__ import annotations

import numpy as np
import pytest

from dgqc.demo_model.pictures import Figure, Scene, draw, is_held_out, parse_caption, sample_scene, vocabulary


def test_same_seed_draws_same_pictures() -> None:
    one = [draw(sample_scene(np.random.default_rng(5))) for _ in range(3)]
    other = [draw(sample_scene(np.random.default_rng(5))) for _ in range(3)]
    assert np.array_equal(one, other)
    assert one[0].shape == (32, 32, 3)
    assert one[0].dtype == np.uint8


def test_captions_read_back_and_use_known_words() -> None:
    rng = np.random.default_rng(6)
    words = set(vocabulary())
    for _ in range(300):
        scene = sample_scene(rng, held_out=None)
        read = parse_caption(scene.caption())
        assert (read.figures, read.layout, read.background) == (scene.figures, scene.layout, scene.background)
        assert words.issuperset(scene.caption().split())


@pytest.mark.parametrize(
    "caption",
    [
        "",
        "a red circle at the left on a black background",
        "a large red circle on a black background",
        "a large red circle at the left on a pink background",
    ],
)
def test_other_sentences_are_refused(caption: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        parse_caption(caption)


def test_training_never_draws_held_out_compositions() -> None:
    rng = np.random.default_rng(7)
    assert not any(is_held_out(sample_scene(rng)) for _ in range(500))
    assert all(is_held_out(sample_scene(rng, held_out=True)) for _ in range(50))


def test_a_composition_is_held_out_in_either_order() -> None:
    rng = np.random.default_rng(8)
    for _ in range(200):
        scene = sample_scene(rng, held_out=None)
        assert is_held_out(Scene(scene.figures[::-1], scene.layout, scene.background)) == is_held_out(scene)


def test_pictures_show_their_colours_where_named() -> None:
    figures = (Figure("large", "red", "square"), Figure("small", "blue", "circle"))
    picture = draw(Scene(figures, "left of", "white"))
    assert tuple(picture[16, 8]) == (235, 30, 30)
    assert tuple(picture[16, 24]) == (30, 60, 240)
    assert tuple(picture[0, 16]) == (245, 245, 245)
