"""IREE: the float UNet as torch-mlir imports it, and what dgqc emits as MLIR."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .contenders import Contender
from .converted import converted
from .models import DGQC, run
from .subject import Call, Subject

MODULE, PROGRAM, INPUTS = "model.mlir", "model.vmfb", "inputs.npz"


def make(subject: Subject, contender: Contender) -> dict[str, Any]:
    """Imports or emits the UNet, and compiles it, where that isn't done."""
    make_one = _float if contender.weights == "float32" else _integers
    folder = converted(_folder(subject, contender), partial(make_one, subject, contender.weights))
    return {"bytes": sum(file.stat().st_size for file in (folder / PROGRAM, *_parameters(folder)))}


def load(subject: Subject, contender: Contender, threads: int) -> Call:
    from iree import runtime

    runtime.flags.parse_flags(f"--task_topology_max_group_count={threads}")
    from dgqc.backends.mlir.execution.iree import loaded

    folder = _folder(subject, contender)
    function = loaded((folder / PROGRAM).read_bytes(), *_parameters(folder))["main"]
    kept = np.load(folder / INPUTS)
    arguments = [kept[name] for name in kept.files if name != "scale"]
    scale = kept["scale"]

    def call() -> np.ndarray[Any, Any]:
        result: np.ndarray[Any, Any] = function(*arguments).to_host() * scale
        return result

    return call


def _folder(subject: Subject, contender: Contender) -> Path:
    return subject.work / "iree" / contender.weights


def _parameters(folder: Path) -> list[Path]:
    """The constants' file, where the program is large enough to have one."""
    return list(folder.glob("*.safetensors"))


def _float(subject: Subject, weights: str, folder: Path) -> None:
    """torch.export, torch-mlir's own lowering."""
    import torch
    from torch_mlir import fx

    from .pytorch import model_with_arguments

    unet, arguments = model_with_arguments(subject)
    with torch.no_grad():
        exported = torch.export.export(unet, arguments, strict=False)
    module = fx.export_and_import(exported, output_type=fx.OutputType.LINALG_ON_TENSORS, func_name="main")
    with (folder / MODULE).open("w") as file:
        module.operation.print(file=file, assume_verified=True)
    named = {f"input_{place}": value.numpy() for place, value in enumerate(arguments)}
    np.savez(folder / INPUTS, **named, scale=np.float32(1))
    _compile(folder)


def _integers(subject: Subject, preset: str, folder: Path) -> None:
    """The bundle's program, and the inputs of the timed call as integers."""
    import torch

    from dgqc import load
    from dgqc.backends.mlir.emission.emit import emit
    from dgqc.execution.boundary import to_integers

    bundle = subject.work / f"{preset}.dgqc"
    if not bundle.exists():
        asked = ("--parts", "unet", "--calib", subject.calibration, "-o", bundle)
        run((DGQC, "compile", subject.model, "-O", preset, *asked))
    program, step = load(bundle).program, subject.step()
    emit(program, folder)
    arguments = subject.arguments()
    named = {given.name: torch.from_numpy(arguments[given.name]) for given in program.inputs}
    integers = to_integers(program, named, step)
    given = {item.name: integers[item.name].numpy() for item in program.inputs}
    assert program.output_scale is not None
    scale = np.float32(program.output_scale[step])
    np.savez(folder / INPUTS, **given, step=np.asarray(step), scale=scale)
    _compile(folder)


def _compile(folder: Path) -> None:
    from dgqc.backends.mlir.execution.iree import compiled

    (folder / PROGRAM).write_bytes(compiled(folder / MODULE))
