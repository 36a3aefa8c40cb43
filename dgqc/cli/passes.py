"""`dgqc passes`, `dgqc opt` and `dgqc view`: for people who write passes."""

from __future__ import annotations

import inspect
import re
from dataclasses import MISSING, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..ir.errors import DgqcError
from . import options
from .console import as_json, progress, result
from .display import say
from .from_fields import takes_fields
from .places import check_file

if TYPE_CHECKING:
    from ..passes.base import Pass


SENTENCE = re.compile(r"(?<=\.) (?=[A-Z`])")
"""Where a sentence ends and another one begins; `eq. 8` is no end."""


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("passes")(passes)
    app.command("opt")(opt)
    app.command("view")(view)


def passes(
    pipeline: Annotated[
        str | None, typer.Option("--pipeline", metavar="PRESET", help="Print the passes behind a preset.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", metavar="NAMES", help="And what these targets append."),
    ] = None,
    json: options.Json = False,
) -> None:
    """List the passes, or print the pipeline of a preset."""
    from ..backends.registry import known_targets
    from ..backends.selection import select_targets
    from ..ir import ops  # noqa: F401  (registers the dgqc ops, which passes name)
    from ..passes.manager.presets import pipeline_for
    from ..passes.manager.registry import known_passes
    from ..report.table import table

    if pipeline is not None:
        text = pipeline_for(pipeline)
        appended = {one.name: one.passes() for one in select_targets([target])} if target else {}
        if json:
            as_json({"preset": pipeline, "pipeline": text, "targets": appended})
            return
        result(text)
        for name, passes_of_target in appended.items():
            result(f"then, for {name}: {passes_of_target or 'nothing'}")
        return
    if target is not None:
        raise DgqcError("--target says what follows a preset's passes; name the preset with --pipeline.")
    owners = {name: one.name for one in known_targets() for name in one.pass_modules}
    described = [{**_describe(item), "target": owners.get(item.name)} for item in known_passes()]
    if json:
        as_json(described)
        return
    listing = table("pass", "what it does; its level, and options")
    listing.columns[1].justify = "left"
    for one in described:
        written = ", ".join(f"{option['name']}={option['default']}" for option in one["options"])
        levels = one["takes"] if one["takes"] == one["leaves"] else f"{one['takes']} to {one['leaves']}"
        owner = f"for {one['target']}" if one["target"] else ""
        about = "; ".join(filter(None, (levels, owner, written)))
        listing.add_row(one["name"], f"{one['summary']}\n{about}")
    result(listing)


@takes_fields("verify_each", "stop_after")
def opt(
    asked: dict[str, Any],
    graph: Annotated[
        Path, typer.Argument(metavar="GRAPH", help="A folder that --stop-after or a failing pass wrote.")
    ],
    pass_pipeline: Annotated[str, typer.Option("--pass-pipeline", metavar="PASSES", help="What to run.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Save the graph there instead of printing it.")
    ] = None,
    calib: Annotated[
        Path | None, typer.Option("--calib", help="Samples, for passes that observe ranges.")
    ] = None,
    print_ir_after: options.PrintIrAfter = None,
    dump_ir: options.DumpGraphs = None,
    timing: options.ShowTiming = False,
) -> None:
    """Run passes on a saved graph."""
    from ..frontends.calibrating.calibration_file import load_calibration
    from ..passes.manager.manager import PassManager
    from ..passes.manager.pipeline import parse_pipeline
    from .build import check_printed, instruments_for
    from .graph_files import load_graph, print_or_save

    program = load_graph(graph)
    if calib is not None:
        program = replace(program, calibration=load_calibration(calib))
    pipeline = parse_pipeline(pass_pipeline)
    check_printed(print_ir_after, pipeline)
    clock, instruments = instruments_for(print_ir_after, timing, dump_ir)
    manager = PassManager(pipeline, instruments, asked["verify_each"])
    with progress():
        program = manager.run(program, asked["stop_after"])
    if timing:
        say(clock.table())
    print_or_save(program, output)


def view(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that --dump-ir wrote.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The page; DIR/view.html by default.")
    ] = None,
) -> None:
    """Write a page on which one steps through the passes."""
    from ..ir.storage.whole import write_text
    from ..report.view import as_page

    place = output or folder / "view.html"
    check_file(place)
    write_text(place, as_page(folder))
    result(f"Wrote {place}.")


def _describe(item: type[Pass]) -> dict[str, Any]:
    from ..passes.manager.options import options_of, write_value
    from ..passes.manager.registry import origin

    return {
        "name": item.name,
        "takes": item.takes.value,
        "leaves": item.leaves.value,
        "requires": sorted(item.requires),
        "provides": sorted(item.provides),
        "invalidates": sorted(item.invalidates),
        "options": [
            {
                "name": option.name,
                "takes": option.expected,
                "default": "required" if option.default is MISSING else write_value(option.default),
            }
            for option in options_of(item)
        ],
        "summary": SENTENCE.split(" ".join((inspect.getdoc(item) or "").split()), maxsplit=1)[0],
        "package": origin(item),
    }
