"""`dgqc diff`: two bundles, or a bundle and its float model, side by side."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..ir.errors import DgqcError
from ..ir.reading import explained
from . import options
from .console import as_json, progress, result
from .places import check_file

if TYPE_CHECKING:
    from torch import nn

    from ..execution.compiled_program import CompiledProgram
    from ..execution.parting import Parting, Traced
    from ..report.differences import Differences

log = logging.getLogger("dgqc")

SIDES = ("A", "B")
SHOWN = 10
"""Layers in the table; JSON has them all."""


@dataclass(frozen=True)
class Outcome:
    """What was found. papers: of two bundles. parting: where values part, if they do. layers: signal to noise
    of b's layers beside a's on these inputs, in the order in which they run."""

    papers: Differences | None
    parting: Parting | None
    layers: Mapping[str, float | None] = field(default_factory=dict)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("diff")(diff)


def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help="A bundle.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another one, or the float model.")],
    inputs: Annotated[
        Path | None, typer.Option("--inputs", help="Inputs by name, .safetensors; else seeded random ones.")
    ] = None,
    step: Annotated[int, typer.Option("--step", min=0, help="The call's place in the schedule.")] = 0,
    least: Annotated[
        float, typer.Option("--least", help="A layer parts from the float model below so many dB.")
    ] = 20.0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Save both values where they part, .safetensors.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page with both, for two bundles.")
    ] = None,
    seed: options.Seed = 0,
    json: options.Json = False,
) -> None:
    """Why one of two is worse, down to the first bits that part."""
    for place in filter(None, (output, html)):
        check_file(place)
    if html is not None:
        check_page(a, b)
    sides = opened(a, b, inputs, step, seed)
    log.info("Running one call of each, op by op in the reference, which takes as long as some calls do.")
    with progress():
        found = compared(sides, least)
    if html is not None:
        write_page(html, a, b)
    if output is not None and found.parting is not None:
        save(found.parting, output)
    if json:
        as_json(to_json(found))
    else:
        show(found, (a, b), output, least)


@dataclass(frozen=True)
class Sides:
    """Both sides, and the call that they are compared on. other: a program, or a float model."""

    own: CompiledProgram
    other: CompiledProgram | nn.Module
    values: Mapping[str, Any]
    step: int


def opened(a: Path, b: Path, inputs: Path | None, step: int, seed: int) -> Sides:
    """What is to be compared: whatever is wrong with it is said before anything runs.

    Raises DgqcError where `a` is no bundle, `b` is nothing, or the inputs don't fit.
    """
    from ..bundle.manifest import NAME
    from ..execution.compiled_program import load
    from ..execution.one_call import inputs_of
    from ..execution.parting import integers_for
    from ..frontends.loading.load import load_model

    own = load(a)
    values = inputs_of(own, inputs, seed)
    integers_for(own, values, step)
    if not (b / NAME).is_file():
        return Sides(own, load_model(b).model, values, step)
    other = load(b)
    refuse_other_inputs({a: own, b: other})
    integers_for(other, values, step)
    return Sides(own, other, values, step)


def refuse_other_inputs(both: Mapping[Path, CompiledProgram]) -> None:
    """Raises DgqcError where nothing can be put into both."""
    taken = [{one.name: tuple(one.shape) for one in found.program.inputs} for found in both.values()]
    if taken[0] != taken[-1]:
        said = [
            f"{path} takes {', '.join(f'{name} {shape}' for name, shape in inputs.items())}"
            for path, inputs in zip(both, taken, strict=True)
        ]
        raise DgqcError(f"{' and '.join(said)}; give two bundles of one model and one size.")


def compared(sides: Sides, least: float) -> Outcome:
    """Compares a bundle with another one, or with a float model."""
    from ..bundle.bundle import Contents
    from ..execution.compiled_program import CompiledProgram
    from ..execution.parting import first_bits_apart, traced
    from ..report.differences import differences

    traces = traced(sides.own, sides.values, sides.step)
    if not isinstance(sides.other, CompiledProgram):
        return _beside_floats(traces, sides.other, sides, least)
    both = (sides.own, sides.other)
    papers = differences(*(Contents(one.program, one.provenance, one.report) for one in both))
    return Outcome(papers, first_bits_apart(traces, traced(sides.other, sides.values, sides.step)))


def _beside_floats(own: Traced, model: nn.Module, sides: Sides, least: float) -> Outcome:
    from ..execution.parting import float_layers, layers_beside

    timestep, remedy = sides.own.program.schedule.timesteps[sides.step], "give the model that was compiled"
    with explained("The float model can't be called as the program is", remedy):
        floats = float_layers(model, sides.values, timestep)
    layers = layers_beside(floats, own.layers)
    if not layers:
        raise DgqcError(f"The float model has none of the program's layers; {remedy}.")
    poor = (one for one in layers.values() if one.decibels is not None and one.decibels < least)
    return Outcome(None, next(poor, None), {path: one.decibels for path, one in layers.items()})


def check_page(a: Path, b: Path) -> None:
    """Raises DgqcError where a page can't show both, since they aren't two bundles."""
    from ..bundle.manifest import NAME

    if a == b:
        raise DgqcError(f"--html shows two bundles, and both are {a}; give another one.")
    if b.exists() and not (b / NAME).is_file():
        raise DgqcError(f"--html shows two bundles, and {b} is none; leave it out.")


def write_page(place: Path, a: Path, b: Path) -> None:
    """Both bundles' reports side by side."""
    from ..ir.storage.whole import write_text
    from ..report.page import as_page_of_two, side_of
    from ..report.report import bundle_report

    sides = {str(path): side_of(path, bundle_report(path)) for path in (a, b)}
    write_text(place, as_page_of_two(sides))


def save(parting: Parting, place: Path) -> None:
    """Writes both values, under the names a and b."""
    from safetensors.torch import save_file

    from ..ir.storage.whole import whole_file

    with whole_file(place) as unfinished:
        values = {"a": parting.a.contiguous(), "b": parting.b.contiguous()}
        save_file(values, unfinished, metadata={"where": parting.where})


def to_json(found: Outcome) -> dict[str, Any]:
    """For programs."""
    parting = found.parting
    first = None
    if parting is not None:
        named = {"where": parting.where, "module": parting.module, "kind": parting.kind}
        # JSON has no infinity.
        first = {**named, "decibels": None if parting.decibels == inf else parting.decibels}
    papers = None if found.papers is None else asdict(found.papers)
    return {"papers": papers, "first": first, "layers_db": dict(found.layers)}


def show(found: Outcome, names: tuple[Path, Path], output: Path | None, least: float) -> None:
    """For people. least: below so many dB a layer parts from the float model."""
    from ..report.table import table

    if found.papers is not None:
        _show_papers(found.papers, names)
    elif found.layers:
        worst = sorted(found.layers.items(), key=lambda one: one[1] if one[1] is not None else 1e9)
        shown = table("layer", "dB", title="Signal to noise beside the float model, the least first")
        for path, decibels in worst[:SHOWN]:
            shown.add_row(path, _number(decibels))
        result(shown)
    if found.parting is None:
        beside = f"layer is below {least:g} dB (--least)" if found.papers is None else "value parts"
        result(f"On these inputs no {beside}.")
        return
    one = found.parting
    apart = "not comparable in dB" if one.decibels is None else f"{one.decibels:.1f} dB"
    apart = "only by the scales of its channels" if one.decibels == inf else apart
    saved = f" Both are in {output}." if output else " Save both with -o FILE."
    result(f"The first to part is {one.where} ({one.kind}, of {one.module}): {apart}.{saved}")


def _show_papers(papers: Differences, names: tuple[Path, Path]) -> None:
    from ..report.table import table

    for short, path in zip(SIDES, names, strict=True):
        result(f"{short}: {path}")
    shown = table("", *SIDES)
    for name, (one, other) in {**papers.asked, **papers.figures}.items():
        shown.add_row(name, _number(one), _number(other))
    for layer, (first, second) in list(papers.layers.items())[:SHOWN]:
        shown.add_row(f"dB of {layer}", _number(first), _number(second))
    result(shown)
    for line in papers.passes:
        result(line)
    _show_plans(papers.plans)
    for side, sentence in zip(SIDES, papers.quality, strict=True):
        if sentence:
            result(f"{side}: {sentence}")


def _show_plans(plans: Mapping[str, tuple[str | None, str | None]]) -> None:
    """Layers whose plans differ in the same way stand together."""
    from ..report.table import table

    places: dict[tuple[str | None, str | None], list[str]] = {}
    for path, pair in plans.items():
        places.setdefault(pair, []).append(path)
    shown = table("plans of", *SIDES)
    for pair, paths in list(places.items())[:SHOWN]:
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        shown.add_row(paths[0] + more, *(text or "-" for text in pair))
    if places:
        result(shown)


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "-" if value is None else str(value)
