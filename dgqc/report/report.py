"""What a model or a compiled program costs, as figures for people and programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from ..bundle.bundle import PARTS, SIZES, part_names, read_report
from ..bundle.manifest import NAME, Manifest, check_files, is_bundle, read_manifest
from ..bundle.report_record import CountedReportRecord
from ..compiler.model_options import ModelOptions
from ..frontends.capturing.capture import capture
from ..frontends.loading.file_kinds import hint_inside, refuse_converted
from ..frontends.loading.guidance import USUAL, with_guidance
from ..frontends.loading.load import LoadedModel, config_only
from ..frontends.loading.picture_encoders import shown_inputs
from ..ir.errors import DgqcError
from ..ir.ops.captured import ProductKind
from ..ir.program import Program
from ..ir.sample_size import SampleSize
from ..ir.schedule import ASSUMED
from ..ir.storage.json_text import read_json_object
from ..passes.manager.pipeline import parse_pipeline
from ..passes.manager.presets import pipeline_for
from .costs import Costs, count
from .sizes import Sizes, count_sizes, estimate_sizes
from .widths import FLOAT, Planned, Widths, decided

MB = 1e6
CONTEXT_LENGTH = 77
DEVICE = "device"
"""The entry of what computed in float, where that wasn't the CPU."""
FLOATING = "floating-parts"
"""The entry of a pipeline's parts that stay float, by name, with why."""
FLOAT_OPT = "fp32"
"""Stands for the model as it came."""

Report = dict[str, Any]
"""JSON with at least `float_size_mb`, `size_mb` (decimal megabytes), `bops_t` (10^12), `macs_g` (10^9),
`parameters_m` (10^6), `arena_bytes`, `table_bytes`, `groups`, `macs_by_kind_g`, `notes`, `estimated`."""


def report_on(
    path: Path,
    opt: str,
    *,
    steps: int,
    sample_size: SampleSize | None,
    context_length: int | None,
    pass_pipeline: str | None = None,
    **loading: Any,
) -> Report:
    """The report on a bundle, or on a model as `opt` or `pass_pipeline` would compile it.

    path: a bundle, or anything that holds a model; a config.json without weights is enough.
    loading: of a model, how it is loaded (`ModelOptions`). Raises DgqcError when it is neither.
    """
    if _is_bundle(path):
        return bundle_report(path)
    loaded = shapes_only(path, loading)
    model = with_guidance(loaded.model, USUAL)
    widths = _asked(opt, pass_pipeline)
    context = context_length or loaded.context_length or CONTEXT_LENGTH
    shown = shown_inputs(model)
    costs = model_costs(
        model, capture(model, sample_size=sample_size, context_length=context, recorded=shown)
    )
    whole = Sizes(4 * costs.parameters, 0, 0, 0)
    sizes = whole if widths is FLOAT else estimate_sizes(costs, widths, steps)
    arena = costs.activations * (4 if widths is FLOAT else 2)
    about = {"model": type(model).__name__, "opt": "custom" if pass_pipeline else opt, "calls": steps}
    estimated = "Size, tables and arena are estimated from shapes; a bundle's are counted."
    notes = [] if widths is FLOAT else [estimated]
    return about | {"estimated": True} | figures(costs, widths, sizes, arena, notes)


def bundle_report(directory: Path) -> Report:
    """What was counted when a bundle was compiled, with its provenance; of its parts, each its own report.

    Raises DgqcError when the bundle is incomplete, altered or of another format.
    """
    manifest = read_manifest(directory)
    check_files(directory, manifest)
    passes = read_report(directory, CountedReportRecord)
    summary: dict[str, Any] = passes.pop("summary")
    quality: dict[str, Any] = passes.pop("quality", {})
    floating: dict[str, str] = passes.pop(FLOATING, {})
    seen: dict[str, Any] = passes.pop("seen", {})
    sizes: dict[str, Any] = passes.pop(SIZES, {})
    made = manifest.provenance
    notes = list(summary["notes"])
    if made.synthetic:
        notes.insert(0, f"Ranges come from {made.calibration}, which no text encoder made.")
    if manifest.schedule.origin == ASSUMED:
        notes.insert(0, f"The schedule is {ASSUMED}; compile with --scheduler for the model's own.")
    about = {
        "model": made.model,
        "opt": made.opt,
        "pipeline": made.pipeline,
        "dgqc": made.version,
        "scheduler": manifest.schedule.scheduler,
        "calls": len(manifest.schedule),
        "schedule_origin": manifest.schedule.origin,
        "calibration": {"origin": made.calibration, "synthetic": made.synthetic},
        "bytes_on_disk": _on_disk(manifest),
        "estimated": False,
        "integers_db": entry_with(passes, "decibels").get("integers", {}),
        "layer_error_db": entry_with(passes, "decibels").get("decibels", {}),
        "quality": quality,
        "seen": seen,
    }
    parts = {name: bundle_report(directory / PARTS / name) for name in part_names(directory)}
    others = ({"parts": parts} if parts else {}) | ({"floating": floating} if floating else {})
    others |= {"sizes": sizes} if sizes else {}
    return about | summary | {"notes": notes, "passes": passes} | others


def summarize(costs: Costs, planned: Planned, program: Program) -> Report:
    """The figures of an integer-level program, to be kept in its bundle, but for its working memory, which a
    target adds. planned: read before lowering."""
    found = figures(costs, planned.widths or Widths(), count_sizes(program), None, [])
    return found | {"probabilities": planned.probabilities}


def entry_with(report: Mapping[str, Any], figure: str) -> Mapping[str, Any]:
    """What the pass that reported a figure reported, whatever it is called; nothing where none did."""
    entries = (entry for entry in report.values() if isinstance(entry, Mapping) and figure in entry)
    return next(entries, {})


def figures(costs: Costs, widths: Widths, sizes: Sizes, arena: int | None, notes: list[str]) -> Report:
    """The figures that reports on models and on bundles share."""
    nominal = bops(costs.macs(), widths.weight_bits, widths.activation_bits)
    built = sum(_bops_as_built(costs, widths))
    return {
        "float_size_mb": 4 * costs.parameters / MB,
        "size_mb": sizes.total / MB,
        "bops_t": nominal / 1e12,
        "bops_as_built_t": built / 1e12,
        "macs_g": costs.macs() / 1e9,
        "macs_by_kind_g": {kind.value: costs.macs(kind) / 1e9 for kind in ProductKind},
        "macs_by_layer_g": {path: macs / 1e9 for path, macs in costs.by_module().items()},
        "parameters_m": costs.parameters / 1e6,
        **({} if arena is None else {"arena_bytes": arena}),
        "table_bytes": sizes.tables,
        "size_bytes": asdict(sizes),
        **widths.to_json(),
        "notes": [*_bops_notes(widths, nominal, built), *notes],
    }


def bops(macs: int, weight_bits: int, activation_bits: int) -> int:
    """Bit operations of so many multiply-accumulates, as DGQ counts: two each, times both widths."""
    return 2 * macs * weight_bits * activation_bits


def model_costs(model: nn.Module, captured: Program) -> Costs:
    """The costs of a captured model."""
    return count(captured, sum(parameter.numel() for parameter in model.parameters()))


def _bops_as_built(costs: Costs, widths: Widths) -> tuple[int, int, int]:
    attention = costs.macs(ProductKind.ATTENTION)
    edges = costs.macs(edge=True)
    inner = costs.macs() - attention - edges
    return (
        bops(inner, widths.weight_bits, widths.activation_bits),
        bops(attention, widths.activation_bits, widths.activation_bits),
        bops(edges, widths.edge_bits, widths.edge_activation_bits),
    )


def _bops_notes(widths: Widths, nominal: int, built: int) -> list[str]:
    if widths == FLOAT:
        return []
    same = widths.edge_bits == widths.edge_activation_bits
    edges = f"{widths.edge_bits}" if same else f"{widths.edge_bits}/{widths.edge_activation_bits}"
    counted = (
        f"BOPs count every product at {widths.weight_bits}/{widths.activation_bits} bits, as the paper does"
    )
    if built == nominal:
        return [f"{counted}; so it is built."]
    return [
        f"{counted}; the first and last convolution stay at {edges} bits and attention multiplies "
        f"activations by activations, which makes {built / 1e12:.4g} T instead of {nominal / 1e12:.4g} T."
    ]


def _asked(opt: str, pass_pipeline: str | None) -> Widths:
    if opt == FLOAT_OPT and pass_pipeline is None:
        return FLOAT
    return decided(parse_pipeline(pipeline_for(opt) if pass_pipeline is None else pass_pipeline))


def shapes_only(path: Path, loading: Mapping[str, Any]) -> LoadedModel:
    """A model whose weights need not be there, as long as nothing is said of these.

    loading: options of how it is loaded, as a compile has them. Raises DgqcError for what is no model.
    """
    given = ModelOptions(path, **loading)
    if path.is_dir() and not any((path / name).is_file() for name in ("config.json", "model_index.json")):
        refuse_converted(path)
        raise DgqcError(
            f"{path} is neither a bundle nor a model: it has no {NAME}, config.json or model_index.json; "
            f"give a folder that `dgqc compile` wrote, or a UNet's{hint_inside(path)}."
        )
    if not given.chosen and (path.is_dir() or path.suffix == ".json"):
        return config_only(path)
    return given.loaded()


def _is_bundle(path: Path) -> bool:
    file = path / NAME
    if not file.is_file():
        return False
    try:
        return is_bundle(read_json_object(file))
    except DgqcError:
        return True


def _on_disk(manifest: Manifest) -> int:
    return sum(entry.size for entry in manifest.files.values())
