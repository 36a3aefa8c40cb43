"""Training continues from a checkpoint exactly, and what it exports is a pipeline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dgqc.demo_model import load_pipeline, train
from dgqc.demo_model.classifier import HEADS, Classifier, disturb, labels, to_values
from dgqc.demo_model.pictures import draw, read_words, reworded, sample_scene, vocabulary
from dgqc.demo_model.train import Settings, Trainer

SETTINGS = Settings(steps=4, batch=2, warm_up=2)


def test_resumed_training_equals_uninterrupted_training(tmp_path: Path) -> None:
    through = Trainer(SETTINGS)
    through.train_step()
    through.save(tmp_path / "checkpoint.pt")
    losses = [through.train_step(), through.train_step()]

    resumed = Trainer(SETTINGS)
    resumed.load(tmp_path / "checkpoint.pt")
    assert [resumed.train_step(), resumed.train_step()] == losses
    for one, other in zip(through.average.parameters(), resumed.average.parameters(), strict=True):
        assert torch.equal(one, other)


def test_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    Trainer(SETTINGS).save(tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="other settings"):
        Trainer(Settings(steps=5)).load(tmp_path / "checkpoint.pt")


def test_exported_folder_holds_the_averaged_weights(tmp_path: Path) -> None:
    trainer = Trainer(SETTINGS)
    folder = tmp_path / "pipeline"
    trainer.export(folder)
    trainer.export(folder)
    for file in ("model_index.json", "tokenizer/tokenizer_config.json"):
        assert '"PreTrainedTokenizerFast"' in (folder / file).read_text()  # what older transformers know, too
    assert [path.name for path in tmp_path.iterdir()] == ["pipeline"]
    stored = load_pipeline(folder).unet.state_dict()
    for name, weight in trainer.average[0].state_dict().items():
        assert torch.equal(stored[name], weight.half().float())


def test_captions_can_have_other_words(tmp_path: Path) -> None:
    german = read_words(Path(train.__file__).with_name("german.json"))
    assert len(german) == len(vocabulary())
    Trainer(Settings(steps=1, words=german)).export(tmp_path / "pipeline")
    tokenizer = load_pipeline(tmp_path / "pipeline").tokenizer
    caption = "a small purple square below a large green triangle on a white background"
    assert tokenizer.unk_token_id not in tokenizer(reworded(caption, german)).input_ids
    assert tokenizer.unk_token_id in tokenizer(caption).input_ids


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ('{"house": "Haus"}', "other words for house, which no caption"),
        ('{"red": "blue"}', "one word of two"),
    ],
)
def test_words_that_cannot_be_are_refused(words: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "words.json"
    file.write_text(words, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_words(file)


def test_learning_rate_rises_then_falls_to_nothing() -> None:
    trainer = Trainer(Settings(steps=100, warm_up=10))
    rates = []
    for trainer.step in range(101):
        rates.append(trainer.learning_rate())
    assert int(np.argmax(rates)) in range(8, 12)
    assert rates[-1] == pytest.approx(0.0, abs=1e-12)


def test_classifier_heads_match_labels() -> None:
    rng = np.random.default_rng(14)
    scenes = [sample_scene(rng, held_out=None) for _ in range(8)]
    values = disturb(to_values(np.stack([draw(scene) for scene in scenes])), rng)
    assert values.shape == (8, 3, 32, 32)
    assert float(values.abs().max()) <= 1.0
    for scores, names in zip(Classifier()(values), HEADS.values(), strict=True):
        assert scores.shape == (8, len(names))
    assert all(len(labels(scene)) == len(HEADS) for scene in scenes)
