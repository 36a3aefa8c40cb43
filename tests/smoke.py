"""What must work wherever dgqc installs: a script, run in an empty folder by `tests/matrix.py`.

It prints the versions that it ran with, and a line for each thing that it has seen work.
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from diffusers.quantizers.base import DiffusersQuantizer

import dgqc

NAMES = ("torch", "diffusers", "transformers", "numpy")


def command(*arguments: str) -> str:
    """What a command line prints. Raises where it doesn't end well."""
    script = "from dgqc.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def unet() -> UNet2DConditionModel:
    """Of one level with attention: its call takes a millisecond."""
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        cross_attention_dim=8,
        attention_head_dim=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    ).eval()


def compiled() -> None:
    """From a UNet to a bundle, whose C and reference agree."""
    program = dgqc.compile(unet(), "w4a6g2", steps=2, samples=1, check=False)
    program.save("small.dgqc")
    loaded = dgqc.load("small.dgqc")
    time = loaded.program.schedule.timesteps[0]
    inputs = torch.randn(1, 4, 8, 8), time, torch.randn(1, 77, 8)
    answers = [loaded.run(*inputs, backend=backend) for backend in ("c", "reference")]
    assert torch.equal(*answers)


def loaded_by_diffusers() -> None:
    """A bundle through diffusers' own door, where its version has one."""
    try:
        found = UNet2DConditionModel.from_pretrained("small.dgqc")
    except dgqc.DgqcError as error:
        if hasattr(DiffusersQuantizer, "maybe_update_loaded_keys"):
            raise
        print(f"said: {error}")
        found = dgqc.load("small.dgqc").as_diffusers_unet()
    assert "program of integers" in repr(found)


def recorded() -> None:
    """A pipeline with its text encoder draws for calibration."""
    pipeline = str(Path(dgqc.__file__).parent / "demo_model" / "pipeline")
    command("calibrate", pipeline, "--samples", "1", "--steps", "2", "-o", "calib.safetensors")
    assert Path("calib.safetensors").is_file()
    assert json.loads(command("check", pipeline, "--json"))["compiles"]


def records_read() -> None:
    """Without a word: older releases of pydantic warn of names of fields."""
    words = ["-W", "error::UserWarning:pydantic._internal._fields"]
    subprocess.run(
        [sys.executable, *words, "-c", "import dgqc.frontends.loading.pipeline_records"], check=True
    )


def main() -> None:
    print(
        f"Python {sys.version.split()[0]},",
        ", ".join(f"{name} {importlib.metadata.version(name)}" for name in NAMES),
    )
    for see in (records_read, compiled, loaded_by_diffusers, recorded):
        see()
        print(f"{see.__name__}: right")


if __name__ == "__main__":
    main()
