"""Pipelines' folders: the scheduler that diffusers takes, the tokenizer's length, variants, missing files."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dgqc.frontends import config_only, load_model
from dgqc.frontends.loading.pipelines import load_pipeline
from dgqc.ir.errors import DgqcError

from .conftest import TOKENS


@pytest.fixture
def pipeline(pipeline_folder: Path, tmp_path: Path) -> Path:
    """A copy to be changed."""
    return Path(shutil.copytree(pipeline_folder, tmp_path / "pipeline"))


def edit(path: Path, **fields: Any) -> None:
    found = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**found, **fields}))


def test_the_scheduler_is_the_one_that_diffusers_takes(
    pipeline: Path, caplog: pytest.LogCaptureFixture
) -> None:
    edit(pipeline / "model_index.json", scheduler=["diffusers", "EulerDiscreteScheduler"])
    with caplog.at_level(logging.WARNING, "dgqc"):
        loaded = config_only(pipeline)
    assert loaded.scheduler is not None
    assert loaded.scheduler["_class_name"] == "EulerDiscreteScheduler"
    assert type(load_pipeline(pipeline).scheduler).__name__ == "EulerDiscreteScheduler"
    assert "a EulerDiscreteScheduler in model_index.json and a DDIMScheduler in its scheduler" in caplog.text


def test_warnings_that_quote_a_file_are_one_line(pipeline: Path, caplog: pytest.LogCaptureFixture) -> None:
    edit(pipeline / "scheduler" / "scheduler_config.json", _class_name="two\nlines\x1b[31m" + "x" * 10_000)
    with caplog.at_level(logging.WARNING, "dgqc"):
        config_only(pipeline)
    (record,) = [one for one in caplog.records if one.name == "dgqc"]
    assert "a two lines\\x1b[31mxxx" in record.getMessage()
    assert record.getMessage().isprintable()
    assert len(record.getMessage()) < 900


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta"])
def test_the_tokenizers_length_counts(pipeline: Path, kind: str) -> None:
    edit(pipeline / "text_encoder" / "config.json", model_type=kind, max_position_embeddings=514)
    assert config_only(pipeline).context_length == TOKENS
    edit(pipeline / "tokenizer" / "tokenizer_config.json", model_max_length=10**30)
    assert config_only(pipeline).context_length is None


def test_a_tokenizer_longer_than_its_encoder_is_refused(pipeline: Path) -> None:
    edit(pipeline / "tokenizer" / "tokenizer_config.json", model_max_length=512)
    with pytest.raises(DgqcError, match=f"gives 512 tokens, but the text encoder takes {TOKENS}"):
        config_only(pipeline)


def test_text_embeddings_of_another_width_are_refused(pipeline: Path) -> None:
    edit(
        pipeline / "unet" / "config.json",
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2560,
    )
    (pipeline / "text_encoder_2").mkdir()
    edit(pipeline / "text_encoder_2" / "config.json", projection_dim=1280)
    config_only(pipeline)
    edit(pipeline / "text_encoder_2" / "config.json", projection_dim=768)
    with pytest.raises(DgqcError, match="gives 768 numbers, but the UNet takes 1280"):
        config_only(pipeline)


def test_encoders_of_another_width_are_refused(pipeline: Path) -> None:
    edit(pipeline / "text_encoder" / "config.json", hidden_size=32)
    with pytest.raises(DgqcError, match="text encoders give 32 numbers, but the UNet takes 16"):
        load_model(pipeline)
    edit(pipeline / "text_encoder" / "config.json", model_type="bert")
    load_model(pipeline)


def test_half_precision_variants(pipeline: Path) -> None:
    for part, stem in (("unet", "diffusion_pytorch_model"), ("text_encoder", "model")):
        (pipeline / part / f"{stem}.safetensors").rename(pipeline / part / f"{stem}.fp16.safetensors")
    loaded = load_pipeline(pipeline)
    assert loaded.unet.dtype == torch.float32
    assert load_model(pipeline).scheduler is not None


Change = Callable[[Path], Any]
CHANGES: dict[str, Change] = {
    r"unet.*: Input should be a valid string": lambda folder: edit(
        folder / "model_index.json", unet=[["diffusers"], "UNet2DConditionModel"]
    ),
    r"takes its scheduler from code of its own \(\['os', 'system'\]\)": lambda folder: edit(
        folder / "model_index.json", scheduler=["os", "system"]
    ),
    "takes its _class_name from code of its own": lambda folder: edit(
        folder / "model_index.json", _class_name=["a.py", "B"]
    ),
    "tokenizer has no vocabulary": lambda folder: (folder / "tokenizer" / "tokenizer.json").unlink(),
    r"model_index\.json is not valid JSON": lambda folder: (folder / "model_index.json").write_text(
        "[" * 9999
    ),
    "diffusers can't load the pipeline": lambda folder: shutil.rmtree(folder / "text_encoder"),
}


@pytest.mark.parametrize("message", CHANGES)
def test_pipelines_that_are_refused(pipeline: Path, message: str) -> None:
    CHANGES[message](pipeline)
    with pytest.raises(DgqcError, match=message) as caught:
        load_pipeline(pipeline)
    assert "\n" not in str(caught.value)
