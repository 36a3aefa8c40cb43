"""`dgqc compile`, `dgqc calibrate`, `dgqc demo`: commands that make something."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..compiler.model_options import LOADING
from ..compiler.request import Request
from ..compiler.written import one_size
from ..ir.errors import DgqcError
from ..ir.progress import WRITING, enter
from ..ir.ranks import agreed, rank
from ..ir.sample_size import size_text
from . import coverage as command_coverage
from . import options
from .console import as_json, progress, result
from .display import say
from .from_fields import takes_fields
from .places import check_file, check_folder
from .targets import TARGET_HELP, StageWatch, stage_names

if TYPE_CHECKING:
    from ..compiler.coverage import Coverage
    from ..passes.base import Pass
    from ..passes.manager.instruments import Instrument, Timing


log = logging.getLogger("dgqc")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""What symbols of C may begin with."""

MOST_COVERED = 64
"""Pictures that --coverage draws at most, where nobody says how many."""


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("compile")(compile_model)
    app.command("calibrate")(calibrate)
    app.command("demo")(demo)


@takes_fields()
def compile_model(
    asked: dict[str, Any],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The bundle; MODEL.PRESET.dgqc by default.")
    ] = None,
    target: Annotated[str | None, typer.Option("--target", metavar="NAMES", help=TARGET_HELP)] = None,
    print_ir_after: options.PrintIrAfter = None,
    dump_ir: options.DumpGraphs = None,
    timing: options.ShowTiming = False,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights", metavar="WHERE", help="Of constants: array, object, file or stream; else by size."
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="What symbols and files of the C project begin with; model by default."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Compile a diffusion UNet into integers."""
    from ..backends.selection import check_sizes, check_targets, select_targets
    from ..bundle.bundle import check_output
    from ..compiler.driver import compiled_as_asked, lower

    if name is not None and not NAME.fullmatch(name):
        raise DgqcError(f"--name is {name!r}, but symbols of C begin with it: letters, digits and _.")
    targets = select_targets(None if target is None else [target], weights=weights, prefix=name)
    check_targets(targets)
    clock, instruments = instruments_for(print_ir_after, timing, dump_ir)
    request = Request(**asked, instruments=instruments)
    check_sizes(targets, tuple(size_text(one) for one in request.other_sizes))
    place = output or options.default_output(request)
    if request.stop_after is None:
        check_output(place)
        check_folder(place.parent)
    check_printed(print_ir_after, request.passes, stage_names(targets))
    with progress():
        if request.stop_after is not None:
            program, _ = lower(request, targets)
        else:
            watch = StageWatch(print_ir_after or [], sys.stderr, clock)
            compiled = compiled_as_asked(replace(request, output=place))
            enter(WRITING)
            how: dict[str, Any] = {"instruments": instruments, "verify_each": request.verify_each}
            agreed(lambda: compiled.save(place, targets, watch=watch, **how))
        if timing and not rank():
            say(clock.table())
    if request.stop_after is not None:
        from .graph_files import print_or_save

        print_or_save(program, output)
        return
    _tell(place, json)


@takes_fields(*LOADING, "device", "pictures", "strength", "embeddings", "sample_size")
def calibrate(
    asked: dict[str, Any],
    pipeline: Annotated[
        Path, typer.Argument(metavar="PIPELINE", help="A diffusers pipeline's folder or file.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The .safetensors file to write.")],
    prompts: Annotated[
        Path | None,
        typer.Option("--prompts", help="A text file, one prompt a line; everyday captions where left out."),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option("--classes", metavar="LIST", help="0,7,3; drawn from all of them where left out."),
    ] = None,
    samples: Annotated[
        int | None, typer.Option("--samples", min=1, help="Pictures; as many as prompts or classes, or 16.")
    ] = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Denoising steps.")] = 25,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Use the first prompts only.")] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Prompts at a time.")] = 4,
    guidance_scale: Annotated[
        float | None, typer.Option("--guidance-scale", help="The pipeline's own where it is left out.")
    ] = None,
    part: Annotated[
        str, typer.Option("--part", help="Whose calls: unet, controlnet, adapter; controlnet.1 of several.")
    ] = "unet",
    coverage: options.ShowCoverage = False,
    growth: options.GrowthLimit = 2,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Record what a pipeline calls its UNet with, for `--calib`."""
    from ..compiler.samples import shown
    from ..frontends.calibrating.calibrate import calibrate as record

    check_file(output)
    watch = _watch(coverage, growth, part)
    lines = None if prompts is None else read_prompts(prompts)[:limit]
    with progress():
        calibration = record(
            pipeline,
            lines,
            steps,
            output,
            seed,
            batch_size,
            guidance_scale,
            shown("recording UNet calls"),
            samples=MOST_COVERED if coverage and not (samples or lines or classes) else samples,
            labels=None if classes is None else class_list(classes),
            part=part,
            enough=watch,
            **_passed_on(asked),
        )
    counted = {"prompts": len(lines or ()), "calls": len(calibration.schedule)}
    _tell_recorded({"output": str(output), **counted, "origin": calibration.origin}, watch, json)


def _tell_recorded(recorded: dict[str, Any], watch: Coverage | None, json: bool) -> None:
    """Where a recording went, and what was seen of ranges meanwhile."""
    if json:
        found = {} if watch is None else {"coverage": command_coverage.to_json(watch)}
        as_json({**recorded, **found})
        return
    if watch is not None:
        command_coverage.tell(watch)
    result(f"Wrote {recorded['output']}: {recorded['origin']}, {recorded['calls']} calls each.")


def _watch(coverage: bool, growth: float, part: str) -> Coverage | None:
    """Who looks at ranges while pictures are drawn, if that is asked for."""
    if not coverage:
        return None
    if part != "unet":
        raise DgqcError(f"--coverage looks at a UNet's ranges, not at {part}'s; leave out one of the two.")
    from ..compiler.coverage import Coverage

    return Coverage(growth / 100)


def _passed_on(asked: dict[str, Any]) -> dict[str, Any]:
    """Options of the command that are the function's, too, files of adapters read off their texts."""
    from ..frontends.adapters.adapter import adapters_of
    from ..frontends.adapters.picture_adapters import picture_adapters_of

    asked["sample_size"] = one_size(asked["sample_size"])
    files = {
        "adapters": adapters_of(asked.pop("lora")),
        "shown": picture_adapters_of(asked.pop("ip_adapter"), asked.pop("image_encoder")),
    }
    return {**asked, **files}


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Where pictures and bundles go.")] = Path(
        "build/demo"
    ),
    steps: Annotated[int, typer.Option("--steps", min=1, help="Denoising steps.")] = 25,
    prompts: Annotated[int, typer.Option("--prompts", min=1, help="How many pictures to draw.")] = 8,
    json: options.Json = False,
) -> None:
    """Compile the demo model, and draw with it before and after."""
    from ..demo import PRESETS, as_table, run_demo

    check_folder(output)
    log.info(
        "Compiling the demo model at %s, then drawing %s with each and with the float model.",
        " and ".join(PRESETS),
        f"{prompts} pictures" if prompts > 1 else "a picture",
    )

    with progress():
        outcome = run_demo(output, steps=steps, pictures=prompts)
    if json:
        as_json(outcome.to_json())
    else:
        result(as_table(outcome))
        threads = "1 thread" if outcome.threads == 1 else f"{outcome.threads} threads"
        result(
            f"Drawing: all pictures, by the clock, {threads}; building is not in it, other work's turns are."
        )
        result(f"Pictures: {outcome.picture}")


def instruments_for(
    print_after: list[str] | None, timing: bool, dump: Path | None = None
) -> tuple[Timing, list[Instrument]]:
    """A clock, and the instruments that the options ask for. Raises DgqcError as `check_dump` does."""
    from ..passes.manager.dump import DumpIr, check_dump
    from ..passes.manager.instruments import PrintAfter, Timing

    clock = Timing()
    chosen: list[Instrument] = [clock] if timing else []
    if print_after:
        wanted = None if "all" in print_after else frozenset(print_after)
        chosen.append(PrintAfter(wanted, sys.stderr))
    if dump is not None:
        check_dump(dump)
        chosen.append(DumpIr(dump))
    return clock, chosen


def check_printed(print_after: list[str] | None, passes: Sequence[Pass], others: Sequence[str] = ()) -> None:
    """Raises DgqcError when the graph is to be printed after a pass that the pipeline doesn't hold.

    others: names of passes and stages that follow, of targets.
    """
    names = [*(item.name for item in passes), *others]
    for name in print_after or ():
        if name not in (*names, "all"):
            held = ", ".join(names)
            raise DgqcError(f"--print-ir-after={name}: the pipeline holds no such pass, only {held}.")


def read_prompts(path: Path) -> list[str]:
    """The lines of a text file that aren't empty. Raises DgqcError when there are none."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise DgqcError(f"{path} can't be read: {reason}; give a text file, one prompt a line.") from error
    found = [line for line in lines if line]
    if not found:
        raise DgqcError(f"{path} holds no prompts; give a text file, one prompt a line.")
    return found


def class_list(text: str) -> list[int]:
    """The numbers of `0,7,3`. Raises DgqcError when it is something else."""
    if not re.fullmatch(r"\d{1,9}(,\d{1,9})*", text, re.ASCII):
        raise DgqcError(f"--classes is {text!r}, but it is numbers with commas: 0,7,3.")
    return [int(part) for part in text.split(",")]


def _tell(place: Path, json: bool) -> None:
    from ..report.report import bundle_report
    from ..report.wider import wider

    report = bundle_report(place)
    if json:
        as_json({"output": str(place), **report})
        return
    result(
        f"Wrote {place}: {report['size_mb']:.2f} MB of integers (float: {report['float_size_mb']:.2f} MB), "
        f"{report['bops_t']:.4g} TBOPs, {report['calls']} calls of {report['scheduler']}."
    )
    if report["quality"]:
        result(report["quality"]["sentence"])
    if said := wider(report):
        result(said)
    for name, part in report.get("parts", {}).items():
        size = f"With its {name}: {part['model']} at {part['opt']}, {part['size_mb']:.2f} MB."
        result(" ".join(filter(None, (size, part["quality"].get("sentence"), wider(part)))))
    for name, reason in report.get("floating", {}).items():
        result(f"Without its {name}, which stays float: {reason}")
