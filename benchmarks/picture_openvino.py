"""A diffusers pipeline whose parts OpenVINO runs: what it makes of them, and how they come back.

What is stored: `float32`; `int8`, every part's weights in bytes, as optimum-intel's and OpenVINO GenAI's
int8 have them; `quantized`, the UNet's activations too, by NNCF after training, as OpenVINO's own examples
do.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import openvino
import torch
import transformers
from peers.converted import converted
from torch import nn

from dgqc.frontends.calibrating.captions import prompts_for
from dgqc.frontends.loading.pipelines import checked_index, load_pipeline

INPUTS = {"text_encoder": 1, "unet": 3, "vae": 1}
"""Parts that OpenVINO runs, with how many tensors each takes."""
CALIBRATING_CALLS = 24
"""Of the UNet, at most, that NNCF sees: of as many pictures as have so many."""
Examples = dict[str, tuple[nn.Module, tuple[torch.Tensor, ...]]]


class _Plain(nn.Module):
    """A part's call with tensors in and one tensor out, as exporters want it."""

    def __init__(self, part: nn.Module, method: str = "__call__") -> None:
        super().__init__()
        self.part, self.method = part, method

    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = getattr(self.part, self.method)(*given, return_dict=False)[0]
        return found


class _TextEncoder(_Plain):
    """One that takes ids by their name, since masks come behind them."""

    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.part(input_ids=given[0], return_dict=False)[0]
        return found


def examples(pipeline: Any, guidance: float) -> Examples:
    """Each part that the pipeline has, with inputs of the shapes that it draws with."""
    config, tokens = pipeline.unet.config, pipeline.tokenizer.model_max_length
    latents = torch.zeros(1, config.in_channels, config.sample_size, config.sample_size)
    both = 2 if guidance > 1 else 1
    states = torch.zeros(both, tokens, config.cross_attention_dim)
    found: Examples = {
        "text_encoder": (
            _TextEncoder(pipeline.text_encoder),
            (torch.ones(1, tokens, dtype=torch.int64),),
        ),
        "unet": (_Plain(pipeline.unet), (latents.repeat(both, 1, 1, 1), torch.zeros(()), states)),
    }
    if getattr(pipeline, "vae", None) is not None:
        found["vae"] = (_Plain(pipeline.vae, "decode"), (latents,))
    return found


def made(folder: Path, work: Path, stored: str, steps: int, guidance: float) -> Path:
    """OpenVINO's files of all parts, made where they aren't there yet.

    folder: the float pipeline's. stored: see above. steps, guidance: of the drawings that NNCF sees.
    """
    place = work / "openvino"
    if stored == "quantized":
        plain, weights = (made(folder, work, kind, steps, guidance) for kind in ("float32", "int8"))
        return converted(place / stored, partial(_quantize, folder, plain, weights, steps, guidance))
    return converted(place / stored, partial(_convert, folder, guidance, stored == "int8"))


def _convert(folder: Path, guidance: float, bytewise: bool, target: Path) -> None:
    """With fixed shapes, which are the fastest. bytewise: weights of a byte."""
    for name, (module, inputs) in examples(load_pipeline(folder), guidance).items():
        shapes = [tuple(one.shape) for one in inputs]
        with torch.no_grad():
            model = openvino.convert_model(module.eval(), example_input=inputs, input=shapes)
        if bytewise:
            import nncf

            model = nncf.compress_weights(model)
        openvino.save_model(model, target / f"{name}.xml", compress_to_fp16=False)


def _quantize(folder: Path, plain: Path, weights: Path, steps: int, guidance: float, target: Path) -> None:
    """The UNet of `plain`, from calls of the float pipeline's pictures; other parts are `weights`' own."""
    import nncf

    calls = recorded(load_pipeline(folder), steps, guidance)
    quantized = nncf.quantize(
        openvino.Core().read_model(plain / "unet.xml"),
        nncf.Dataset(calls),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(calls),
        advanced_parameters=nncf.AdvancedQuantizationParameters(disable_bias_correction=True),
    )
    openvino.save_model(quantized, target / "unet.xml", compress_to_fp16=False)
    for file in weights.iterdir():
        if file.stem != "unet":
            os.link(file, target / file.name)


def recorded(pipeline: Any, steps: int, guidance: float) -> list[list[np.ndarray[Any, Any]]]:
    """What the UNet is called with while the pipeline draws: at most CALIBRATING_CALLS, evenly chosen."""
    seen: list[list[np.ndarray[Any, Any]]] = []

    def see(_: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        tensors = [*given, named["encoder_hidden_states"]]
        seen.append([torch.as_tensor(one).float().numpy() for one in tensors])

    hook = pipeline.unet.register_forward_pre_hook(see, with_kwargs=True)
    pipeline.set_progress_bar_config(disable=True)
    pictures = max(1, CALIBRATING_CALLS // (4 * steps))
    for seed, prompt in enumerate(prompts_for(pipeline.tokenizer, pictures, 0)):
        how: dict[str, Any] = {"num_inference_steps": steps, "guidance_scale": guidance}
        noise = torch.Generator().manual_seed(1000 + seed)
        pipeline(prompt, generator=noise, output_type="latent", **how)
    hook.remove()
    chosen = np.linspace(0, len(seen) - 1, min(CALIBRATING_CALLS, len(seen))).round().astype(int)
    return [seen[number] for number in chosen]


def opened(folder: Path, files: Path, precision: str, threads: int) -> Any:
    """The pipeline, with OpenVINO's parts in the places of its own, whose weights are never read.

    precision: of whatever isn't in bytes, as OpenVINO calls it.
    """
    index = checked_index(folder)
    parts = {name: _hollow(folder / name, *index[name]) for name in INPUTS if index.get(name, [None])[0]}
    pipeline = load_pipeline(folder, parts)
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
    }
    for name in parts:
        compiled = openvino.Core().compile_model(files / f"{name}.xml", "CPU", options)
        answer = _answering(compiled.create_infer_request(), INPUTS[name])
        setattr(getattr(pipeline, name), "decode" if name == "vae" else "forward", answer)
    return pipeline


def _hollow(folder: Path, library: str, kind: str) -> Any:
    """A model of a folder's configuration, without its weights."""
    with torch.device("meta"):
        if library == "transformers":
            taken: Any = getattr(transformers, kind)
            model = taken(taken.config_class.from_pretrained(folder))
        else:
            taken = getattr(diffusers, kind)
            model = taken.from_config(taken.load_config(folder))
    model.to_empty(device="cpu").eval()
    for weight in model.parameters():
        weight.data = torch.empty(0)
    return model


def _answering(request: Any, taken: int) -> Callable[..., tuple[torch.Tensor]]:
    """A call of a compiled part with the first arguments of the pipeline's own."""

    def call(*given: Any, **named: Any) -> tuple[torch.Tensor]:
        tensors = [*given, *named.values()][:taken]
        arrays = [torch.as_tensor(one).float().numpy() if taken == 3 else one.numpy() for one in tensors]
        return (torch.from_numpy(request.infer(arrays)[0].copy()),)

    return call
