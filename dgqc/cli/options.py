"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..compiler.option import LARGEST_SEED
from ..compiler.request import Request


class Switch(StrEnum):
    """As in `--verify-each=off`."""

    ON = "on"
    OFF = "off"


Bundle = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `dgqc compile` wrote.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PrintIrAfter = Annotated[
    list[str] | None,
    typer.Option("--print-ir-after", metavar="PASS|all", help="Print the graph after a pass, on stderr."),
]
DumpGraphs = Annotated[
    Path | None,
    typer.Option("--dump-ir", metavar="DIR", help="Write the graph after each pass there, for `dgqc view`."),
]
ShowTiming = Annotated[bool, typer.Option("--timing", help="Print how long each pass took, on stderr.")]
ShowCoverage = Annotated[
    bool, typer.Option("--coverage", help="Draw until no range grows, and say which still do.")
]
GrowthLimit = Annotated[
    float, typer.Option("--growth", min=0, metavar="PERCENT", help="Of a range's width: what counts.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="Of random numbers.")]
BackendName = Annotated[
    str | None, typer.Option("--backend", metavar="NAME", help="What runs it; `dgqc targets` lists them.")
]
OneSize = Annotated[
    str | None,
    typer.Option("--sample-size", metavar="HxW", help="Of a bundle's sizes, this one; 64x96."),
]
AllowNearest = Annotated[
    bool, typer.Option("--allow-nearest-step", help="Map other timesteps to the nearest compiled one.")
]


def default_output(request: Request) -> Path:
    """Where a bundle goes when -o says nothing: beside nothing, in the current folder."""
    model, opt = Path(str(request.model)), "custom" if request.pass_pipeline is not None else request.opt
    name = model.stem if model.is_file() else model.resolve().name
    return Path(f"{name}.{re.sub(r'[^A-Za-z0-9]+', '-', opt)}.dgqc")
