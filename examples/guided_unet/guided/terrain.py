"""A trained model of others, through every door that it fits: `python -m guided.terrain MODEL.onnx OUT`.

`adaptive-terrain-diffusion` on PyPI (MIT) ships a UNet that draws height maps: guided diffusion's network as
consistency models have it, distilled to one step. What is written into OUT: `pipeline`, a diffusers pipeline,
and `unet.pt2`, the plain module as torch.export saves it.
"""

from __future__ import annotations

import argparse
import importlib
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch

from .model import GuidedConfig, GuidedUNet
from .to_diffusers import to_diffusers

_diffusers: Any = diffusers
SIZE, CLASSES = 128, 100
CONFIG = GuidedConfig(
    pictures=(1, 1), channels=(32, 32, 64, 96, 128), blocks=4, attention=(2, 3, 4), head=32, classes=CLASSES
)
PREFIX = "network."
NORMS = {
    "in_layers.2.weight": "in_layers.0",
    "out_layers.3.weight": "out_layers.0",
    "qkv.weight": "norm",
    "out.2.weight": "out.0",
}
"""By a layer's weight, the norm before it: exporting left norms without names."""


def read(path: Path) -> GuidedUNet:
    """The network in an ONNX file, in evaluation mode. Needs the package onnx."""
    onnx: Any = importlib.import_module("onnx")
    graph = onnx.load(path).graph
    values = {one.name: torch.tensor(onnx.numpy_helper.to_array(one)) for one in graph.initializer}
    found = {name.removeprefix(PREFIX): one for name, one in values.items() if name.startswith(PREFIX)}
    found |= _norms(graph, values)
    unet = GuidedUNet(CONFIG)
    # Projections of attention may be convolutions of one pixel there, and are of one place here.
    places = unet.state_dict()
    unet.load_state_dict({name: one.reshape(places[name].shape) for name, one in _with_table(found).items()})
    return unet.eval()


def _norms(graph: Any, values: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Gains and offsets of norms: a product and a sum somewhere before the layer that reads them."""
    made = {output: node for node in graph.node for output in node.output}
    found = {}
    for node in graph.node:
        name = node.input[1].removeprefix(PREFIX) if node.op_type == "Conv" else ""
        norm = next((norm for end, norm in NORMS.items() if name == end or name.endswith(f".{end}")), None)
        if norm is None:
            continue
        queue = deque([node.input[0]])
        while not (value := queue.popleft()).startswith("group_norm"):
            queue.extend(one for one in made[value].input if one in made)
        offset = made[value]
        gain = made[offset.input[0]]
        end = next(end for end in NORMS if name == end or name.endswith(f".{end}"))
        found[f"{name.removesuffix(end)}{norm}.weight"] = values[gain.input[1]].reshape(-1)
        found[f"{name.removesuffix(end)}{norm}.bias"] = values[offset.input[1]].reshape(-1)
    return found


def _with_table(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Labels go through a small network from 0 to 1 there; a hundred of them are a table."""
    labels = torch.arange(CLASSES, dtype=torch.float32)[:, None] / (CLASSES - 1)
    hidden = torch.nn.functional.linear(labels, weights["label_emb.0.weight"], weights["label_emb.0.bias"])
    hidden = torch.nn.functional.silu(hidden)
    table = torch.nn.functional.linear(hidden, weights["label_emb.2.weight"], weights["label_emb.2.bias"])
    own = {name: one for name, one in weights.items() if not name.startswith("label_emb.")}
    return {**own, "label_emb.weight": table}


def write(unet: GuidedUNet, folder: Path) -> tuple[Path, Path]:
    """Writes the pipeline and the exported module, and returns where they are."""
    scheduler = _diffusers.CMStochasticIterativeScheduler(
        num_train_timesteps=40, sigma_min=0.002, sigma_max=80.0, sigma_data=0.5
    )
    pipeline = _diffusers.ConsistencyModelPipeline(to_diffusers(unet, SIZE), scheduler)
    pipeline.save_pretrained(folder / "pipeline")
    example = (torch.zeros(1, 1, SIZE, SIZE), torch.zeros(1), torch.zeros(1, dtype=torch.int64))
    torch.export.save(torch.export.export(unet, example, strict=False), folder / "unet.pt2")
    return folder / "pipeline", folder / "unet.pt2"


def main() -> None:
    """Reads and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("onnx", type=Path, help="terrain_consistency_unet_difficulty100.onnx")
    parser.add_argument("output", type=Path, help="a folder")
    arguments = parser.parse_args()
    for path in write(read(arguments.onnx), arguments.output):
        print(f"Wrote {path}")


if __name__ == "__main__":
    main()
