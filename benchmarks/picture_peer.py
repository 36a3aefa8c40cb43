"""One who draws with a diffusers pipeline, in a process of its own; picture.py runs it.

    python benchmarks/picture_peer.py NAME PIPELINE WORK STEPS GUIDANCE PICTURES PROMPT make|draw

NAME: diffusers-float32, diffusers-bfloat16, openvino-float32, openvino-bfloat16 or openvino-int8. make
converts what isn't there yet; draw prints JSON: `seconds` of each picture after a first one, and `bytes` of
the files of weights.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peers.converted import converted, size

from dgqc.frontends.loading.pipelines import load_pipeline

PARTS = ("text_encoder", "unet", "vae")
PRECISIONS = {"float32": "f32", "bfloat16": "bf16", "int8": "bf16"}


class _TextEncoder(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self.model(ids, return_dict=False)[0]
        return states


class _UNet(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, sample: torch.Tensor, time: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.model(sample, time, states, return_dict=False)[0]
        return found


class _Decoder(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        pixels: torch.Tensor = self.model.decode(latents, return_dict=False)[0]
        return pixels


def examples(pipeline: Any, guidance: float) -> dict[str, tuple[torch.nn.Module, tuple[torch.Tensor, ...]]]:
    """Each part that the pipeline has as a module of tensors alone, with inputs of the shapes that it draws
    with."""
    config, tokens = pipeline.unet.config, pipeline.tokenizer.model_max_length
    latents = torch.zeros(1, config.in_channels, config.sample_size, config.sample_size)
    both = 2 if guidance > 1 else 1
    found: dict[str, tuple[torch.nn.Module, tuple[torch.Tensor, ...]]] = {
        "text_encoder": (_TextEncoder(pipeline.text_encoder), (torch.ones(1, tokens, dtype=torch.int64),)),
        "unet": (
            _UNet(pipeline.unet),
            (
                latents.repeat(both, 1, 1, 1),
                torch.zeros(()),
                torch.zeros(both, tokens, config.cross_attention_dim),
            ),
        ),
    }
    if getattr(pipeline, "vae", None) is not None:
        found["vae"] = (_Decoder(pipeline.vae), (latents,))
    return found


def convert(pipeline: Any, guidance: float, kind: str, folder: Path) -> None:
    """OpenVINO's files of all parts, with fixed shapes. kind: float32, or int8 for weights of a byte."""
    import openvino

    for name, (module, inputs) in examples(pipeline, guidance).items():
        shapes = [tuple(one.shape) for one in inputs]
        with torch.no_grad():
            model = openvino.convert_model(module.eval(), example_input=inputs, input=shapes)
        if kind == "int8":
            import nncf

            model = nncf.compress_weights(model)
        openvino.save_model(model, folder / f"{name}.xml", compress_to_fp16=False)


def put_in(pipeline: Any, folder: Path, precision: str) -> None:
    """Puts compiled parts in the places of the pipeline's own, whose weights are let go."""
    import openvino

    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": PRECISIONS[precision]}
    for file in folder.glob("*.xml"):
        request = openvino.Core().compile_model(file, "CPU", options).create_infer_request()
        part = getattr(pipeline, file.stem)
        for weight in part.parameters():
            weight.data = torch.empty(0)
        taken = {"text_encoder": 1, "unet": 3, "vae": 1}[file.stem]
        setattr(part, "decode" if file.stem == "vae" else "forward", _answering(request, taken))


def _answering(request: Any, taken: int) -> Callable[..., tuple[torch.Tensor]]:
    """A call of a compiled part with the first arguments of the pipeline's own."""

    def call(*given: Any, **named: Any) -> tuple[torch.Tensor]:
        tensors = [*given, *named.values()][:taken]
        arrays = [torch.as_tensor(one).float().numpy() if taken == 3 else one.numpy() for one in tensors]
        return (torch.from_numpy(request.infer(arrays)[0].copy()),)

    return call


def draw(pipeline: Any, steps: int, guidance: float, pictures: int, prompt: str) -> list[float]:
    """Seconds of each picture, after one that warms caches."""
    pipeline.set_progress_bar_config(disable=True)
    kind = "pil" if getattr(pipeline, "vae", None) is not None else "latent"
    seconds = []
    for seed in range(pictures + 1):
        begun = time.perf_counter()
        noise = torch.Generator().manual_seed(seed)
        pipeline(
            prompt, num_inference_steps=steps, guidance_scale=guidance, generator=noise, output_type=kind
        )
        seconds.append(time.perf_counter() - begun)
    return seconds[1:]


def main() -> None:
    name, folder, work, steps, guidance, pictures, prompt, what = sys.argv[1:]
    library, kind = name.split("-")
    pipeline = load_pipeline(Path(folder))
    files = Path(folder)
    found = [file for part in PARTS for file in (files / part).glob("*.safetensors")]
    weights = sum(file.stat().st_size for file in found)
    if library == "openvino":
        stored = "int8" if kind == "int8" else "float32"
        make = partial(convert, pipeline, float(guidance), stored)
        made = converted(Path(work) / "openvino" / stored, make)
        weights = size(made)
        if what == "draw":
            put_in(pipeline, made, kind)
    elif kind == "bfloat16":
        pipeline = pipeline.to(torch.bfloat16)
    if what == "draw":
        seconds = draw(pipeline, int(steps), float(guidance), int(pictures), prompt)
        print(json.dumps({"seconds": seconds, "bytes": weights}))


if __name__ == "__main__":
    main()
