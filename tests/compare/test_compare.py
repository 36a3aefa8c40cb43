"""`dgqc compare`, from the command line to its files, on small models and few steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import architectures
import pytest

from dgqc.cli import main as command_line
from dgqc.compare import candidate, compare
from dgqc.compare import run as run_module
from dgqc.compare.store import Store
from dgqc.compare.workload import Amounts, Workload, unprompted
from dgqc.demo_model import prompts
from dgqc.demo_model.train import Settings, Trainer
from dgqc.frontends.loading.pipelines import unknown_words

SIZES = Amounts(calibration=2, held_out=2, pictures=0, steps=2)
NAMES = ["w8a8", "w8a8:simulated", "w4a4", "naive-w4a4", "dgq-exact-w8a8,iterations=1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("model") / "unet"
    architectures.two_levels().save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def measured(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workload, Store, dict[str, Any]]:
    store = Store(tmp_path_factory.mktemp("store"))
    workload = unprompted(folder, SIZES)
    rows = list(compare([candidate(name) for name in NAMES], workload, store))
    return workload, store, {row.name: row for row in rows}


def test_more_bits_and_integers_of_the_same_plan_are_as_good_as_they_should_be(measured: tuple) -> None:
    rows = measured[2]
    assert len(rows["w8a8"].snr_db) == len(measured[0].held_out.schedule)
    # Ranges of two samples clip, which bounds both.
    assert rows["w8a8"].mean_db > rows["w4a4"].mean_db + 1
    assert rows["w8a8"].mean_db == pytest.approx(rows["w8a8:simulated"].mean_db, abs=1)


def test_rows_say_how_they_ran_and_what_they_take(measured: tuple) -> None:
    rows = measured[2]
    assert [row.runs_as for row in rows.values()] == [
        "integers", "simulation", "integers", "integers", "simulation",
    ]  # fmt: skip
    assert rows["w8a8"].bops_t == pytest.approx(4 * rows["w4a4"].bops_t)
    assert rows["w4a4"].size_mb < rows["w8a8"].size_mb
    assert rows["w8a8:simulated"].size_mb is None
    assert rows["naive-w4a4"].table_bytes < rows["w4a4"].table_bytes
    assert min(rows["w8a8"].layers_db.values()) > 10


def test_nothing_is_measured_twice(measured: tuple, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(run_module, "build", never)
    again = list(compare([candidate(name) for name in NAMES], unprompted(folder, SIZES), measured[1]))
    assert again == list(measured[2].values())


def test_candidates_after_the_first_remember_what_was_observed(measured: tuple) -> None:
    # naive has a pass less in front of observing, w4a4 branches; the others share one graph, step-groups
    # observe themselves.
    assert len(measured[0].observed) == 2


def test_remembered_ranges_make_the_same_program(measured: tuple, folder: Path) -> None:
    fresh = list(compare([candidate("w4a4")], unprompted(folder, SIZES), Store(measured[1].folder / "other")))
    assert fresh[0].snr_db == measured[2]["w4a4"].snr_db


def test_the_command_writes_its_files(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, folder: Path
) -> None:
    arguments = ["compare", folder, "--presets", "ours", "--bits", "w8a8", "--steps", 2, "--calib-prompts", 1]
    code = command_line.run([str(a) for a in [*arguments, "--held-out", 1, "-o", tmp_path, "--json"]])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    (row,) = json.loads(captured.out)
    assert row["name"] == "w8a8"
    said = f"Integers without quantization, the lowest of any call: w8a8 {row['integers_db']:.2f} dB."
    assert said in (tmp_path / "compare.md").read_text().splitlines()
    assert said in (tmp_path / "compare.html").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {
        "compare.csv", "compare.html", "compare.json", "compare.md", "seconds.csv", "trajectory.csv",
        "trajectory.png",
        "size.png", "layers.png", "measured",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--judge", "best"], "There is no judge 'best'; choose one of demo, clip, fid, pixels, none"),
        (["--set", "iterations"], "is written KEY=VALUE"),
        (["--presets", ","], "There is nothing to compare"),
        (["--bits", "w3a3"], "There is no preset"),
        (["nowhere"], "nowhere does not exist; check the path."),
        (["--prompts", "nofile"], "nofile can't be read"),
        (["--calib", "nofile"], "nofile does not exist; check the path."),
        (["--guidance-scale", "nan"], "--guidance-scale is nan, but a finite number is needed."),
    ],
)
def test_wrong_options_are_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], wanted: str
) -> None:
    code = command_line.run(["compare", *arguments, "-o", str(tmp_path)])
    error = capsys.readouterr().err.strip()
    assert code == 2
    assert wanted in error
    assert len(error.splitlines()) == 1


def test_a_model_without_a_pipeline_takes_no_prompts(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, folder: Path
) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("a cat\n")
    assert command_line.run(["compare", str(folder), "--prompts", str(prompts), "-o", str(tmp_path)]) == 2
    error = capsys.readouterr().err.strip()
    assert "is no pipeline's folder" in error
    assert len(error.splitlines()) == 1


def test_a_second_set_that_is_too_small_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    few = tmp_path / "few.txt"
    few.write_text("\n".join(prompts()[:3]))
    many = tmp_path / "many.txt"
    many.write_text("\n".join(prompts()))
    given = ["--prompts", str(many), "--other-prompts", str(few), "--pictures", "4"]
    assert command_line.run(["compare", *given, "-o", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.strip()
    assert "4 pictures are asked for of each set, but 'few' has 3 prompts" in error
    assert len(error.splitlines()) == 1


def test_a_model_with_other_words_needs_prompts(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    german = {"red": "roter", "circle": "Kreis"}
    trainer = Trainer(Settings(steps=1, words=german))
    trainer.export(tmp_path / "model")
    capsys.readouterr()
    assert command_line.run(["compare", str(tmp_path / "model"), "-o", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err.strip()
    assert "needs prompts in its own words ('circle' is none of them)" in error
    assert len(error.splitlines()) == 1
    assert unknown_words(trainer.tokenizer, ["a roter circle", "the circle"]) == ["circle"]
