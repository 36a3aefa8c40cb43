"""`dgqc compare` on a model that was trained with another seed, on captions that aren't ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dgqc import command_line
from dgqc.demo_model.evaluate import evaluation_scenes
from dgqc.demo_model.train import Settings, Trainer


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A pipeline after three steps of training, and a file of captions that the shipped one doesn't know."""
    place = tmp_path_factory.mktemp("elsewhere")
    trainer = Trainer(Settings(steps=3, batch=2, warm_up=1, seed=11))
    for _ in range(3):
        trainer.train_step()
    trainer.export(place / "pipeline")
    captions = [scene.caption() for scene in evaluation_scenes(5, unseen=True)]
    (place / "captions.txt").write_text("\n".join(captions) + "\n")
    return place / "pipeline", place / "captions.txt"


@pytest.mark.slow
def test_presets_keep_their_order_on_it(
    capsys: pytest.CaptureFixture[str], trained: tuple[Path, Path], tmp_path: Path
) -> None:
    model, captions = trained
    arguments = ["compare", model, "--prompts", captions, "--presets", "naive,ours", "--bits", "w8a4"]
    arguments += ["--set", "rounding=nearest", "--calib-prompts", 3, "--held-out", 1, "--pictures", 2]
    code = command_line.run([str(a) for a in [*arguments, "--steps", 2, "-o", tmp_path, "--json"]])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    rows = {row["name"].partition(",")[0]: row for row in json.loads(captured.out)}
    mean = {name: row["columns"]["SNR dB"] for name, row in rows.items()}
    assert mean["w8a4"] > mean["naive-w8a4"] + 3
    assert rows["w8a4"]["columns"]["frechet float"] < rows["naive-w8a4"]["columns"]["frechet float"]
