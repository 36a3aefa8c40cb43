"""`dgqc draw`: a bundle's picture of a prompt."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from . import options
from .console import progress, result
from .places import check_file

log = logging.getLogger("dgqc")
ENDS = (".png", ".ppm", ".jpg", ".jpeg", ".bmp", ".webp")
"""Of files that pictures are written as."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("draw")(draw)


def draw(
    bundle: options.Bundle,
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What is to be seen.")],
    negative: Annotated[str, typer.Option("--negative", help="What guidance leads away from.")] = "",
    guidance: Annotated[
        float | None,
        typer.Option("--guidance", help="Its scale, else the pipeline's own; 1 calls the UNet once a step."),
    ] = None,
    seed: options.Seed = 0,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Where the picture goes, .png or .ppm.")
    ] = Path("picture.png"),
    backend: options.BackendName = None,
) -> None:
    """Draw a picture of a prompt, in integers. It is the same on every machine."""
    from ..compiler.samples import shown
    from ..execution.compiled_program import load
    from ..execution.pictures import own_scale, prompted_texts
    from ..ir.reading import explained

    check_file(output, ENDS)
    program = load(bundle)
    prompted_texts(program)
    scale = own_scale(program.program) if guidance is None else guidance
    calls = len(program.program.schedule) * (1 if scale == 1 else 2)
    log.info("Drawing with %d calls of the UNet; the first one tells how long it takes.", calls)
    with progress():
        picture = program.draw(
            prompt,
            seed,
            negative=negative,
            guidance_scale=scale,
            backend=backend,
            progress=shown("drawing"),
        )
    with explained(f"{output} can't be written", "give a file such as picture.png"):
        output.parent.mkdir(parents=True, exist_ok=True)
        picture.save(output)
    result(f"{output}: {picture.width} x {picture.height}, seed {seed}")
