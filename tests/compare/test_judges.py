"""What pictures are worth: figures that move the right way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dgqc.compare.judges import DemoJudge, JudgeKind, PixelJudge, choose
from dgqc.demo_model import pipeline_dir
from dgqc.demo_model.evaluate import evaluation_scenes
from dgqc.demo_model.pictures import draw
from dgqc.ir.errors import DgqcError

COUNT = 24


@pytest.fixture(scope="module")
def judge() -> DemoJudge:
    return DemoJudge()


@pytest.fixture(scope="module")
def scenes() -> tuple[list[str], np.ndarray]:
    found = evaluation_scenes(COUNT)
    return [scene.caption() for scene in found], np.stack([draw(scene) for scene in found])


def test_the_right_pictures_are_aligned_and_others_are_not(judge: DemoJudge, scenes: tuple) -> None:
    prompts, pictures = scenes
    right = judge.judge(pictures, prompts, pictures)
    wrong = judge.judge(pictures[::-1].copy(), prompts, pictures)
    assert right["alignment"] > 99
    assert wrong["alignment"] < 80
    assert right["frechet_float"] == pytest.approx(0, abs=0.1)
    # The same pictures in another order are the same distribution.
    assert wrong["frechet_real"] == pytest.approx(right["frechet_real"], rel=1e-6)


def test_grey_pictures_are_far_and_say_nothing(judge: DemoJudge, scenes: tuple) -> None:
    prompts, pictures = scenes
    grey = np.full_like(pictures, 128)
    grey[::2] += 1
    blank, right = judge.judge(grey, prompts, pictures), judge.judge(pictures, prompts, None)
    assert blank["confidence"] == pytest.approx(1, abs=0.05)
    assert right["confidence"] > 1.5
    assert blank["frechet_real"] > 2 * right["frechet_real"]
    assert "frechet_float" not in right


def test_prompts_outside_the_grammar_are_refused(judge: DemoJudge) -> None:
    with pytest.raises(DgqcError, match=r"can't read the prompt 'a cat'; .*--judge none"):
        judge.check(["a cat"])


def test_where_the_usual_judge_cannot_read_prompts_pixels_are_compared(
    caplog: pytest.LogCaptureFixture, scenes: tuple
) -> None:
    found = choose(None, pipeline_dir(), None, None, ["a cat"])
    assert isinstance(found, PixelJudge)
    assert "can't read the prompt 'a cat'" in caplog.text
    with pytest.raises(DgqcError, match="can't read the prompt"):
        choose(JudgeKind.DEMO, pipeline_dir(), None, None, ["a cat"])
    pictures = scenes[1]
    assert found.judge(pictures, [], None) == {}
    assert found.judge(np.clip(pictures, 5, None) - 5, [], np.clip(pictures, 5, None)) == {
        "psnr_float": pytest.approx(10 * np.log10(255**2 / 25))
    }
    assert found.judge(pictures, [], pictures)["psnr_float"] == 200


def test_the_demo_model_brings_its_judge(tmp_path: Path) -> None:
    assert isinstance(choose(None, pipeline_dir(), None, None), DemoJudge)
    assert choose(JudgeKind.NONE, pipeline_dir(), None, None) is None


@pytest.mark.parametrize("kind", [None, JudgeKind.CLIP, JudgeKind.FID])
def test_missing_weights_of_clip_are_named_before_anything_runs(
    tmp_path: Path, kind: JudgeKind | None
) -> None:
    pytest.importorskip("torchmetrics")
    with pytest.raises(DgqcError, match=r"CLIP's weights are not on this machine .*--clip, or .*none\.$"):
        choose(kind, tmp_path, tmp_path, None)
