"""What the passes that reconstruct have in common."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from ...ir.program import Program
from .cache import Cache, default_folder
from .compensate import Compensation
from .recipe import Recipe
from .reconstruct import reconstruct

log = logging.getLogger("dgqc")

GIGABYTE = 1e9


def reconstructed(
    program: Program,
    name: str,
    blocks: bool,
    recipe: Recipe,
    cache: str | None,
    memory: float,
    compensation: Compensation | None = None,
) -> Program:
    """The program with what was learned, and each unit's error before and after in the report of `name`.

    cache: the folder of finished units, None for the user's. memory: gigabytes of samples.
    """
    kept = Cache(Path(cache) if cache else default_folder())
    outcome = reconstruct(program, blocks, recipe, kept, memory * GIGABYTE, compensation)
    if outcome.kept:
        log.info("%s: %d of %d units were found in %s.", name, outcome.kept, len(outcome.errors), kept.folder)
    errors = {unit: [float(f"{e:.3g}") for e in pair] for unit, pair in outcome.errors.items()}
    return replace(program, plans=outcome.plans).with_report(name, {"units": len(errors), "errors": errors})
