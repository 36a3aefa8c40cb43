"""`--lora` and `--variant` on the command line: what is compiled, recorded and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DModel
from safetensors.torch import save_file

import dgqc
from dgqc.compiler.driver import lower
from dgqc.compiler.request import Request
from dgqc.ir.errors import DgqcError

Run = Callable[..., tuple[int, str, str]]


def unet() -> UNet2DModel:
    torch.manual_seed(0)
    return UNet2DModel(
        sample_size=8,
        layers_per_block=1,
        block_out_channels=(8,),
        norm_num_groups=4,
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
        add_attention=False,
    ).eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A UNet whose weights are halves alone."""
    unet().half().save_pretrained(tmp_path / "unet", variant="fp16")
    return tmp_path / "unet"


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    tensors = {
        "unet.conv_in.lora_A.weight": torch.ones(1, 3, 3, 3),
        "unet.conv_in.lora_B.weight": torch.ones(8, 1, 1, 1),
    }
    save_file(tensors, tmp_path / "lora.safetensors")
    return tmp_path / "lora.safetensors"


FAST = ("-O", "naive-w8a8", "--steps", "1", "--samples", "1", "--check=off")


def test_what_is_merged_is_compiled_and_recorded(folder: Path, lora: Path, tmp_path: Path, run: Run) -> None:
    place = tmp_path / "out.dgqc"
    code, _, err = run(
        "compile",
        folder,
        *FAST,
        "--variant",
        "fp16",
        "--lora",
        f"{lora}:0.25",
        "--lora",
        f"{lora}:0.5",
        "-o",
        place,
    )
    assert code == 0, err
    asked = json.loads((place / "manifest.json").read_text())["request"]
    assert asked["variant"] == "fp16"
    assert asked["lora"] == [f"{lora}:0.25", f"{lora}:0.5"]
    assert dgqc.load(place).provenance.request["lora"] == asked["lora"]
    program, _ = lower(
        Request(folder, lora=f"{lora}:0.75", steps=1, samples=1, stop_after="fold-time-embedding")
    )
    (weight,) = (
        one
        for name, one in program.graph.named_parameters()
        if name.replace("_", ".").endswith("conv.in.weight")
    )
    torch.testing.assert_close(weight.detach(), unet().half().float().conv_in.weight.detach() + 0.75)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--lora", "nothing.safetensors"),
            "nothing.safetensors does not exist; give a .safetensors of LoRA",
        ),
        (("--lora", "nothing.safetensors:nan"), "The strength of nothing.safetensors is nan"),
        (("--variant", "ema"), "has no variant ema (it has fp16)"),
    ],
)
def test_refusals_are_one_line(options: tuple[str, ...], message: str, folder: Path, run: Run) -> None:
    code, out, err = run("compile", folder, *FAST, *options)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_models_in_memory_are_merged_by_their_owner(lora: Path) -> None:
    with pytest.raises(DgqcError, match="option lora is for files, and here is a UNet2DModel"):
        dgqc.compile(unet(), lora=lora)
