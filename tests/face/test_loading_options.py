"""What looks at a model loads it as what compiles it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import text_parts
from picture_adapters import adapter, face_projection, flat, plain_projection, resampler
from safetensors.torch import save_file

import dgqc
from dgqc.ir.errors import DgqcError

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("command", ["check", "report"])
def test_weights_that_are_not_there(command: str, model_folder: Path, run: Run) -> None:
    assert run(command, model_folder)[0] == 0
    code, _, err = run(command, model_folder, "--variant", "fp16")
    assert code == 2
    assert "has no variant fp16 (it has weights without a name); choose another with --variant" in err
    code, _, err = run(command, model_folder, "--lora", model_folder / "none.safetensors")
    assert code == 2
    assert "does not exist; give a .safetensors of LoRA" in err


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("check", plain_projection),
        ("check", resampler),
        ("check", face_projection),
        ("report", plain_projection),
        pytest.param("report", resampler, marks=pytest.mark.slow),
        pytest.param("report", face_projection, marks=pytest.mark.slow),
    ],
)
def test_what_is_shown_to_adapters(command: str, kind: Any, tmp_path: Path, run: Run) -> None:
    """Looked at before anybody has pictures for them; without one in `test_weights_that_are_not_there`."""
    unet = text_parts.unet()
    unet.save_pretrained(tmp_path / "unet")
    save_file(flat(adapter(unet, kind(0))), str(tmp_path / "a.safetensors"))
    code, out, err = run(command, tmp_path / "unet", "--ip-adapter", tmp_path / "a.safetensors", "--json")
    assert code == 0, err
    assert command == "report" or "image_embeds_0" in json.loads(out)["taken"]


@pytest.mark.parametrize("option", ["pictures", "embeddings"])
def test_what_only_a_pipeline_draws_with(option: str, model_folder: Path, tmp_path: Path) -> None:
    given = {option: tmp_path}
    with pytest.raises(DgqcError, match=f"draws with --{option}, and this model comes alone; give its"):
        dgqc.compile(model_folder, **given)  # type: ignore[arg-type]
