"""What looks at a model loads it as what compiles it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("option", ["pictures", "embeddings"])
def test_what_only_a_pipeline_draws_with(option: str, model_folder: Path, tmp_path: Path) -> None:
    given = {option: tmp_path}
    with pytest.raises(DgqcError, match=f"draws with --{option}, and this model comes alone; give its"):
        dgqc.compile(model_folder, **given)  # type: ignore[arg-type]
