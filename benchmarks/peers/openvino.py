"""OpenVINO: the UNet converted from PyTorch, and quantized by NNCF after training."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import openvino

from .contenders import Contender
from .converted import converted, size
from .subject import Call, Subject

FILE = "unet.xml"
PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


def make(subject: Subject, contender: Contender) -> dict[str, Any]:
    """Converts or quantizes the UNet where that isn't done."""
    convert = _quantize if contender.weights == "int8" else _convert
    return {"bytes": size(converted(_folder(subject, contender.weights), partial(convert, subject)))}


def load(subject: Subject, contender: Contender, threads: int) -> Call:
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": PRECISIONS[contender.rest],
    }
    file = _folder(subject, contender.weights) / FILE
    request = openvino.Core().compile_model(file, "CPU", options).create_infer_request()
    arguments = list(subject.arguments().values())

    def call() -> np.ndarray[Any, Any]:
        result: np.ndarray[Any, Any] = request.infer(arguments, share_inputs=True, share_outputs=True)[0]
        return result

    return call


def _folder(subject: Subject, weights: str) -> Path:
    return subject.work / "openvino" / weights


def _convert(subject: Subject, folder: Path) -> None:
    """With fixed shapes, which is the fastest."""
    import torch

    from .pytorch import model_with_arguments

    unet, arguments = model_with_arguments(subject)
    shapes = [tuple(value.shape) for value in arguments]
    with torch.no_grad():
        model = openvino.convert_model(unet, example_input=arguments, input=shapes)
    openvino.save_model(model, folder / FILE, compress_to_fp16=False)


def _quantize(subject: Subject, folder: Path) -> None:
    """As OpenVINO's own examples quantize diffusion UNets."""
    import nncf

    source = converted(_folder(subject, "float32"), partial(_convert, subject))
    samples = [list(arguments.values()) for arguments in subject.samples()]
    quantized = nncf.quantize(
        openvino.Core().read_model(source / FILE),
        nncf.Dataset(samples),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(samples),
        advanced_parameters=nncf.AdvancedQuantizationParameters(disable_bias_correction=True),
    )
    openvino.save_model(quantized, folder / FILE, compress_to_fp16=False)
