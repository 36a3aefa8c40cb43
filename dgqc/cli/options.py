"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..ir.errors import DgqcError


class Switch(StrEnum):
    """As in `--verify-each=off`."""

    ON = "on"
    OFF = "off"


class Weights(StrEnum):
    """`dgqc.backends.c.Storage`, which takes long to import."""

    ARRAY = "array"
    OBJECT = "object"
    FILE = "file"


Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A UNet's or pipeline's folder, .pt, .safetensors or .pt2.")
]
Bundle = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `dgqc compile` wrote.")]
Opt = Annotated[
    str, typer.Option("-O", "--opt", metavar="PRESET", help="Widths and groups: w4a6, w8a8, w4a6g16,edges=8.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Steps = Annotated[int | None, typer.Option("--steps", min=1, help="UNet calls of the schedule.")]
SampleSize = Annotated[
    str | None, typer.Option("--sample-size", metavar="HxW", help="Size of the latents, 64x64 for instance.")
]
ContextLength = Annotated[
    int | None, typer.Option("--context-length", min=1, help="Tokens of encoder_hidden_states.")
]
Pipeline = Annotated[
    str | None, typer.Option("--pass-pipeline", metavar="PASSES", help="Passes as text, in the place of -O.")
]
PrintAfter = Annotated[
    list[str] | None,
    typer.Option("--print-ir-after", metavar="PASS|all", help="Print the graph after a pass, on stderr."),
]
Timing = Annotated[bool, typer.Option("--timing", help="Print how long each pass took, on stderr.")]
VerifyEach = Annotated[Switch, typer.Option("--verify-each", help="Verify the graph after every pass.")]
StopAfter = Annotated[
    str | None, typer.Option("--stop-after", metavar="PASS", help="Print or save the graph after this pass.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of random numbers.")]
Loop = Annotated[
    str | None,
    typer.Option("--loop", metavar="SAMPLER", help="Add the denoising loop, in integers too: ddim."),
]
CalibSelect = Annotated[
    str, typer.Option("--calib-select", metavar="HOW", help="Which samples to use: all, uniform or tdac.")
]
CalibSamples = Annotated[
    int | None, typer.Option("--calib-samples", min=1, help="How many samples uniform and tdac choose.")
]
Backend = Annotated[str | None, typer.Option("--backend", metavar="NAME", help="c, iree, llvm or reference.")]
AllowNearest = Annotated[
    bool, typer.Option("--allow-nearest-step", help="Map other timesteps to the nearest compiled one.")
]


def sample_size(text: str | None) -> tuple[int, int] | None:
    """(height, width) of `64x48`. Raises DgqcError when it is something else."""
    if text is None:
        return None
    found = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if not found:
        raise DgqcError(f"--sample-size is {text!r}, but it is written as height x width: 64x64.")
    return int(found[1]), int(found[2])


def default_output(model: Path, opt: str) -> Path:
    """Where a bundle goes when -o says nothing: beside nothing, in the current folder."""
    name = model.stem if model.is_file() else model.resolve().name
    return Path(f"{name}.{re.sub(r'[^A-Za-z0-9]+', '-', opt)}.dgqc")
