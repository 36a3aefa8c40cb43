"""How two bundles differ on paper: what was asked for, passes, sizes, errors of layers."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..bundle.bundle import Contents
from .layer_plans import layer_plans
from .report import entry_with

FIGURES = ("size_mb", "table_bytes", "arena_bytes", "bops_t", "bops_as_built_t", "weight_bits", "groups")


@dataclass(frozen=True)
class Differences:
    """What differs between two bundles, each as (of the first, of the second).

    asked: options of the request. passes: of the pipelines, those that one alone has; "-" stands before the
    first's and "+" before the second's. plans: of layers, by place, as `layer_plans` has them; None where one
    has no such layer. figures: sizes and costs. quality: both summaries. layers: signal to noise in dB, the
    layers that lose most first; None where a bundle doesn't say.
    """

    asked: Mapping[str, tuple[Any, Any]]
    passes: tuple[str, ...]
    plans: Mapping[str, tuple[str | None, str | None]]
    figures: Mapping[str, tuple[Any, Any]]
    quality: tuple[str | None, str | None]
    layers: Mapping[str, tuple[float | None, float | None]]


def differences(a: Contents, b: Contents) -> Differences:
    """Of two bundles as they were read."""
    one, other = a.provenance, b.provenance
    figures = [contents.report.get("summary") or {} for contents in (a, b)]
    return Differences(
        _apart({**one.request, "model": one.model}, {**other.request, "model": other.model}),
        tuple(_changed(_passes(one.pipeline), _passes(other.pipeline))),
        _apart(layer_plans(a.program), layer_plans(b.program)),
        {name: (figures[0].get(name), figures[1].get(name)) for name in FIGURES},
        (_sentence(a.report), _sentence(b.report)),
        _layers(a.report, b.report),
    )


def _apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = [*one, *(name for name in other if name not in one)]
    pairs = {name: (one.get(name), other.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _passes(pipeline: str) -> list[str]:
    """A pipeline's passes one by one; commas within braces belong to options."""
    found, depth = [""], 0
    for letter in pipeline:
        depth += (letter == "{") - (letter == "}")
        if letter == "," and not depth:
            found.append("")
        else:
            found[-1] += letter
    return [one.strip() for one in found if one.strip()]


def _changed(one: list[str], other: list[str]) -> list[str]:
    lines = difflib.ndiff(one, other)
    return [line for line in lines if line.startswith(("- ", "+ "))]


def _sentence(report: Mapping[str, Any]) -> str | None:
    quality = report.get("quality") or {}
    return quality.get("sentence")


def _layers(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[float | None, float | None]]:
    a, b = (entry_with(report, "decibels").get("decibels", {}) for report in (one, other))
    pairs = {path: (a.get(path), b.get(path)) for path in [*a, *(path for path in b if path not in a)]}

    def lost(path: str) -> float:
        first, second = pairs[path]
        return -abs(first - second) if first is not None and second is not None else 0.0

    return {path: pairs[path] for path in sorted(pairs, key=lost)}
