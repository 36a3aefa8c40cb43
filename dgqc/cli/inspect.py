"""`dgqc check`, `report`, `verify`, `run`, `bench`: commands that look at a model or a bundle."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ..compiler.model_options import LOADING
from ..compiler.written import one_size
from ..ir.errors import DgqcError
from . import options
from .console import as_json, progress, result
from .from_fields import takes_fields
from .places import check_file

LOADED = tuple(one for one in LOADING if one != "image_encoder")
"""How a model is loaded to be looked at; no pictures are read for it."""
PRESET, STEPS = "w4a6", 25
"""How a model would be compiled, where nobody says it."""


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("check")(check)
    app.command("report")(report)
    app.command("verify")(verify)
    app.command("run")(run)
    app.command("bench")(bench)


@takes_fields(*LOADED, "pass_pipeline", "sample_size", "context_length")
def check(
    asked: dict[str, Any],
    path: Annotated[Path, typer.Argument(metavar="MODEL", help="A model or its config.json.")],
    opt: Annotated[str, typer.Option("-O", "--opt", metavar="PRESET", help="How, such as w4a6.")] = PRESET,
    target: Annotated[str | None, typer.Option("--target", metavar="NAMES", help="What to emit.")] = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps of the scheduler.")] = STEPS,
    json: options.Json = False,
) -> None:
    """What would become of a model, before any work.

    Exit code 1 where something has no integer form, or this machine has too little memory or disk.
    """
    from ..report.check import check_model, lines
    from ..report.table import table

    asked["sample_size"] = one_size(asked["sample_size"])
    found = check_model(path, opt, steps=steps, target=target, **asked)
    if json:
        as_json({**asdict(found), "compiles": found.compiles})
    else:
        shown = table("what", "found")
        shown.columns[1].justify = "left"
        for name, value in lines(found):
            shown.add_row(name, value)
        result(shown)
    if not found.compiles:
        raise typer.Exit(1)


@takes_fields(*LOADED, "pass_pipeline", "sample_size", "context_length")
def report(
    asked: dict[str, Any],
    path: Annotated[Path, typer.Argument(metavar="DIR|MODEL", help="A bundle, a model or its config.json.")],
    opt: Annotated[
        str | None,
        typer.Option("-O", "--opt", metavar="PRESET", help="For a model: w4a6; fp32 is the float one."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="For a model: UNet calls in all; 25.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write one page with pictures.")] = None,
    time: Annotated[
        bool, typer.Option("--time", help="Of a bundle: measure where a call's time goes.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Size, bit operations, groups, memory of a bundle or a model.

    A model's shapes are enough; no weights are read.
    """
    from ..ir.storage.whole import write_text
    from ..report.report import report_on
    from ..report.text import as_table

    if html is not None:
        check_file(html)
    asked["sample_size"] = one_size(asked["sample_size"])
    refuse_for_a_bundle(path, {"opt": opt, "steps": steps, **asked})
    found = report_on(path, opt or PRESET, steps=steps or STEPS, **asked)
    if time:
        found |= {"seconds_by_layer": _timed(path, found)}
    if html is not None:
        from ..report.page import as_page, side_of

        write_text(html, as_page(side_of(path, found)))
    if json:
        as_json(found)
        return
    result(as_table(found))
    for note in found["notes"]:
        result(note)


def refuse_for_a_bundle(path: Path, given: dict[str, Any]) -> None:
    """Raises DgqcError for options of how a model would be compiled, where it is compiled already."""
    from ..bundle.manifest import NAME

    names = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if names and (path / NAME).is_file():
        raise DgqcError(
            f"{path} is a bundle, which {names[0]} can't change; leave it out, or give the model."
        )


def _timed(path: Path, found: dict[str, Any]) -> dict[str, float]:
    """Seconds by layer. Raises DgqcError for a model."""
    from ..execution.bench import time_by_module
    from ..execution.compiled_program import load

    if found["estimated"]:
        raise DgqcError(f"--time measures a bundle, and {path} is a model; compile it first.")
    with progress():
        return time_by_module(load(path))


def verify(
    bundle: options.Bundle,
    steps_sampled: Annotated[
        int | None, typer.Option("--steps-sampled", min=1, help="So many calls instead of all.")
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Random inputs for each call.")] = 1,
    seed: options.Seed = 0,
    sample_size: options.OneSize = None,
    backends: Annotated[
        str | None, typer.Option("--backends", metavar="NAMES", help="Some, such as c,iree, instead of all.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Compare all backends bit by bit, and each emitted file.

    Exit code 1 unless all agree.
    """
    from ..execution.compiled_program import load
    from .verified import tell, verified

    with progress():
        found = verified(
            bundle,
            load(bundle),
            steps_sampled=steps_sampled,
            batch=batch,
            seed=seed,
            backends=[name.strip() for name in backends.split(",")] if backends else None,
            size=sample_size,
        )
    if json:
        as_json(found.to_json())
    else:
        tell(found)
    if not found.all_right:
        raise typer.Exit(1)


def run(
    bundle: options.Bundle,
    inputs: Annotated[
        Path | None, typer.Option("--inputs", help="Inputs by name, .safetensors; else seeded random ones.")
    ] = None,
    timestep: Annotated[
        float | None, typer.Option("--timestep", help="Of the call; the schedule's first where left out.")
    ] = None,
    step: Annotated[
        int | None, typer.Option("--step", min=0, help="The call's place in the schedule, instead.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the output there, .safetensors.")
    ] = None,
    backend: options.BackendName = None,
    allow_nearest_step: options.AllowNearest = False,
    sample_size: options.OneSize = None,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Make one UNet call."""
    from ..execution.compiled_program import load
    from ..execution.one_call import call_once

    if output is not None:
        check_file(output)
    compiled = load(bundle)
    compiled = compiled.at(sample_size) if sample_size else compiled
    outcome = call_once(compiled, inputs, timestep, step, output, backend, allow_nearest_step, seed)
    if json:
        as_json(outcome)
        return
    shape = " x ".join(str(size) for size in outcome["shape"])
    where = f" Wrote {output}." if output else ""
    result(
        f"Output {shape} at timestep {outcome['timestep']:g} in {outcome['seconds']:.3f} s: mean "
        f"{outcome['mean']:.5g}, standard deviation {outcome['deviation']:.5g}, from {outcome['lowest']:.5g} "
        f"to {outcome['highest']:.5g}.{where}"
    )


def bench(
    bundle: options.Bundle,
    model: Annotated[
        Path | None, typer.Option("--model", help="The float model, to be timed in PyTorch beside it.")
    ] = None,
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Timed calls; the median counts.")] = 5,
    sample_size: options.OneSize = None,
    json: options.Json = False,
) -> None:
    """Time one UNet call of the C program, beside the float model."""
    from ..execution.bench import bench as measure
    from ..execution.compiled_program import load
    from ..report.table import table

    compiled = load(bundle)
    compiled = compiled.at(sample_size) if sample_size else compiled
    measured: dict[str, Any] = measure(compiled, model, repeats)
    if json:
        as_json(measured)
        return
    times = table("program", "ms per call", "times PyTorch's")
    float_ms = measured.get("pytorch_ms")
    rows = {
        "dgqc, C": measured["c_ms"],
        "a shallow call": measured.get("shallow_ms"),
        "a picture's calls, mean": measured.get("mean_ms"),
        "PyTorch, float32": float_ms,
    }
    for name, milliseconds in rows.items():
        if milliseconds is not None:
            ratio = f"{milliseconds / float_ms:.2f}" if float_ms else "-"
            times.add_row(name, f"{milliseconds:.2f}", ratio)
    result(times)
