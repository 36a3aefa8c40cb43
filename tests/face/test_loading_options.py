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


@pytest.mark.parametrize("command", ["check", "report"])
@pytest.mark.parametrize("kind", [plain_projection, resampler, face_projection])
def test_what_is_shown_to_adapters(command: str, kind: Any, tmp_path: Path, run: Run) -> None:
    """Looked at before anybody has pictures for them."""
    unet = text_parts.unet()
    unet.save_pretrained(tmp_path / "unet")
    save_file(flat(adapter(unet, kind(0))), str(tmp_path / "a.safetensors"))
    assert run(command, tmp_path / "unet")[0] == 0
    code, out, err = run(command, tmp_path / "unet", "--ip-adapter", tmp_path / "a.safetensors", "--json")
    assert code == 0, err
    assert command == "report" or "image_embeds_0" in json.loads(out)["taken"]


@pytest.mark.parametrize("option", ["pictures", "embeddings"])
def test_what_only_a_pipeline_draws_with(option: str, model_folder: Path, tmp_path: Path) -> None:
    given = {option: tmp_path}
    with pytest.raises(DgqcError, match=f"draws with --{option}, and this model comes alone; give its"):
        dgqc.compile(model_folder, **given)  # type: ignore[arg-type]
