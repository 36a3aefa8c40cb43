"""What dgqc emits: built with its own Makefile, and called by a small host program."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch

from dgqc import load
from dgqc.backends.c.emission.storage import Storage
from dgqc.backends.c.execution.build import read_signature
from dgqc.execution.boundary import to_integers

from .contenders import Contender
from .models import DGQC, run
from .subject import Subject

CALLER = Path(__file__).with_name("emitted.c")


def make(subject: Subject, contender: Contender) -> dict[str, Any]:
    """Compiles what isn't there, and builds it. Its bytes are those of executable and weights."""
    preset = contender.weights
    quick = f"{preset},rounding=nearest"  # how weights are rounded changes nothing about speed
    bundle = subject.work / f"{preset}.dgqc"
    if not bundle.exists():
        asked = ("--parts", "unet", "--calib", subject.calibration, "-o", bundle)
        run((DGQC, "compile", subject.model, "-O", quick, *asked))
    caller, weights = _built(bundle / "c", subject.work / "emitted" / preset)
    inputs, scale = _inputs(subject, bundle, caller.parent)
    files = [caller, *weights]
    command = [caller, inputs, str(subject.step()), f"{scale:.9g}", *weights]
    size = sum(file.stat().st_size for file in files)
    return {"bytes": size, "command": [str(part) for part in command]}


def _built(project: Path, folder: Path) -> tuple[Path, list[Path]]:
    """The host program, and the file of weights where there is one. The bundle itself stays as it is."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(
        project.resolve(), folder, copy_function=os.symlink, ignore=shutil.ignore_patterns("build")
    )
    signature = read_signature(project)
    mapped = signature.storage is Storage.FILE
    run(("make", "-C", folder, f"build/lib{signature.name}.a"))
    caller = folder / "caller"
    sources = (CALLER, *((folder / "map_weights.c",) if mapped else ()))
    flags = ("-O2", "-fopenmp", f"-I{folder}", f"-I{folder / 'include'}", *(("-DMAPPED",) if mapped else ()))
    library = folder / "build" / f"lib{signature.name}.a"
    run(("cc", *flags, *sources, library, "-o", caller))
    return caller, [(project / f"{signature.name}_weights.bin").resolve()] if mapped else []


def _inputs(subject: Subject, bundle: Path, folder: Path) -> tuple[Path, float]:
    """A file with the integer inputs, one after the other, and the scale of the output."""
    program = load(bundle).program
    step = subject.step()
    arguments = subject.arguments()
    named = {given.name: torch.from_numpy(arguments[given.name]) for given in program.inputs}
    integers = to_integers(program, named, step)
    file = folder / "inputs.s16"
    file.write_bytes(b"".join(integers[given.name].numpy().tobytes() for given in program.inputs))
    assert program.output_scale is not None
    return file, float(program.output_scale[step])
