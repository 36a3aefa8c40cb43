"""A trained model of others, through every door that it fits: ONNX's weights, a folder, a plain module.

Nothing of it is in the repository: `DGQC_TERRAIN` names its ONNX file (examples/guided_unet/README.md).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DModel
from guided.terrain import CLASSES, SIZE, read, write

import dgqc
from dgqc.frontends import load_model

FILE = os.environ.get("DGQC_TERRAIN")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(FILE is None, reason="DGQC_TERRAIN names no ONNX file of the terrain model"),
]
OPTIONS: dict[str, Any] = {"steps": 4, "samples": 8}
LEAST = 30.0
"""Decibels, by call and after a whole drawing."""


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    pytest.importorskip("onnx")
    assert FILE is not None
    return write(read(Path(FILE)), tmp_path_factory.mktemp("terrain"))


def test_both_doors_lead_to_one_network(doors: tuple[Path, Path]) -> None:
    folder, exported = doors
    unet: Any = UNet2DModel.from_pretrained(folder / "unet")
    module: Any = load_model(exported).model
    assert module.label_count == CLASSES
    sample = torch.randn(1, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    time, label = torch.tensor([705.0]), torch.tensor([49])
    with torch.no_grad():
        expected = unet(sample, time, class_labels=label).sample
        found = module(sample=sample, timestep=time, class_labels=label)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("door", ["folder", "exported"])
def test_it_is_compiled(door: str, doors: tuple[Path, Path]) -> None:
    folder, exported = doors
    more = {} if door == "folder" else {"scheduler": folder / "scheduler"}
    path = folder if door == "folder" else exported
    program = dgqc.compile(path, "w8a8,rounding=nearest", **OPTIONS, **more)
    assert len(program.program.schedule) == OPTIONS["steps"]
    assert program.program.schedule.timesteps[0] == pytest.approx(1095.5, abs=0.1)
    quality = program.report["quality"]
    assert min(quality["calls"].values()) > LEAST
    assert quality["drawing"] > LEAST
