"""ONNX Runtime: the UNet exported by PyTorch, and quantized by ONNX Runtime's own static quantization."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import onnxruntime

from .contenders import Contender
from .converted import converted, size
from .subject import NAMES, Arguments, Call, Subject

FILE = "unet.onnx"
OPTIMIZED = 2 * 10**9
"""Bytes up to which a model is optimized before it is quantized; larger ones ONNX Runtime can't save."""
QUANTIZED = ("Conv", "Gemm", "MatMul")


def make(subject: Subject, contender: Contender) -> dict[str, Any]:
    """Exports or quantizes the UNet where that isn't done."""
    convert = _quantize if contender.weights == "int8" else _export
    return {"bytes": size(converted(_folder(subject, contender.weights), partial(convert, subject)))}


def load(subject: Subject, contender: Contender, threads: int) -> Call:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    file = _folder(subject, contender.weights) / FILE
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    arguments = subject.arguments()
    return lambda: session.run(None, arguments)[0]


class Samples:
    """A calibration data reader, as the quantizer wants it."""

    def __init__(self, subject: Subject) -> None:
        self._samples = subject.samples()

    def get_next(self) -> Arguments | None:
        return next(self._samples, None)


def _folder(subject: Subject, weights: str) -> Path:
    return subject.work / "onnx" / weights


def _export(subject: Subject, folder: Path) -> None:
    import torch

    from .pytorch import model_with_arguments

    torch.onnx.export(
        *model_with_arguments(subject),
        folder / FILE,
        input_names=NAMES,
        output_names=["output"],
        dynamo=True,
        external_data=True,
    )


def _quantize(subject: Subject, folder: Path) -> None:
    """Activations without sign, weights with sign and a scale per channel: what VNNI multiplies."""
    from onnxruntime.quantization import QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    source = converted(_folder(subject, "float32"), partial(_export, subject))
    prepared = folder / "prepared"
    prepared.mkdir()
    external = {"save_as_external_data": True, "all_tensors_to_one_file": True}
    skipped = {"skip_symbolic_shape": True, "skip_optimization": size(source) > OPTIMIZED}
    quant_pre_process(source / FILE, prepared / FILE, **skipped, **external)
    quantize_static(
        prepared / FILE,
        folder / FILE,
        Samples(subject),
        op_types_to_quantize=list(QUANTIZED),
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        use_external_data_format=True,
    )
    shutil.rmtree(prepared)
