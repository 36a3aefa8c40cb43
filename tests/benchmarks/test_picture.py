"""Whole pipelines side by side: what stable-diffusion.cpp is asked for, what is timed, who is left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from picture import Asked, Row, drawn_by_cpp, wanted
from picture_peer import PEERS, Peer
from safetensors.torch import load_file, save_file

PROGRAM = """#!/bin/sh
echo "$@" >> {log}
while [ $# -gt 0 ]; do
    case $1 in -o) echo {text} > "$2";; esac
    shift
done
"""


def asked(folder: Path, decoder: str) -> Asked:
    """Of a pipeline with this decoder, 1.0 of guidance, two pictures that are timed."""
    pipeline = folder / "pipeline"
    (pipeline / "unet").mkdir(parents=True)
    (pipeline / "vae").mkdir()
    (pipeline / "unet" / "config.json").write_text('{"sample_size": 64}')
    (pipeline / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(bytes(1000))
    (pipeline / "text_encoder").mkdir()
    tensors = {"embeddings.table": torch.ones(2, 3), "text_projection.weight": torch.zeros(2)}
    save_file(tensors, pipeline / "text_encoder" / "model.safetensors", {"format": "pt"})
    (pipeline / "model_index.json").write_text(json.dumps({"vae": ["diffusers", decoder]}))
    return Asked(pipeline, folder, "a circle", 3, 0.0, 2, 1)


def program(folder: Path, text: str) -> Path:
    """One that writes down what it was asked for, and `text` where it was told to."""
    found = folder / "sd"
    found.write_text(PROGRAM.format(log=folder / "log", text=text))
    found.chmod(0o755)
    return found


@pytest.mark.parametrize("decoder", ["AutoencoderKL", "AutoencoderTiny"])
def test_models_are_made_once_and_a_first_picture_is_not_timed(decoder: str, tmp_path: Path) -> None:
    given, drawer = asked(tmp_path, decoder), program(tmp_path, "picture")
    rows = [drawn_by_cpp(given, drawer, "q8_0", ["--diffusion-fa"]) for _ in range(2)]
    said = (tmp_path / "log").read_text().splitlines()
    assert [line.startswith("-M convert") for line in said] == [True, True, *(False,) * 6]
    assert ["--convert-name" in line for line in said[:2]] == [True, False]
    assert all("--cfg-scale 1.0 -t 1 --sampling-method euler -W 512 -H 512" in line for line in said[2:])
    assert [line.split("--seed ")[1][0] for line in said[2:5]] == ["0", "1", "2"]
    assert all(("--taesd" in line) == (decoder == "AutoencoderTiny") for line in said[2:])
    named = load_file(tmp_path / "as-published" / "text_encoder" / "model.safetensors")
    assert torch.equal(named["text_model.embeddings.table"], torch.ones(2, 3))
    assert set(named) == {"text_model.embeddings.table", "text_projection.weight"}
    assert len(rows[0].seconds) == 2
    assert rows[0].size == len("picture\n") + (1000 if decoder == "AutoencoderTiny" else 0)


def test_who_draws_nothing_is_no_row(tmp_path: Path) -> None:
    given, drawer = asked(tmp_path, "AutoencoderKL"), program(tmp_path, "picture")
    drawer.write_text(f"#!/bin/sh\ntouch {tmp_path}/f16.gguf {tmp_path}/q8_0.gguf\n")
    with pytest.raises(SystemExit, match="q8_0 drew nothing"):
        drawn_by_cpp(given, drawer, "q8_0", [])


def test_a_line_of_the_table_tells_the_median() -> None:
    row = Row("somebody", [3.0, 1.0, 1.5], 2_000_000, 1_500_000)
    assert row.text() == "| somebody | 1.50 | 2 | 1.5 |"


def test_who_is_not_installed_is_left_out_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PEERS, "somebody", Peer("Somebody", "float32", ("a_package_that_nobody_has",)))
    assert list(wanted(["somebody", "diffusers-float32"])) == ["diffusers-float32"]
    assert "somebody: left out, a_package_that_nobody_has missing" in capsys.readouterr().err
