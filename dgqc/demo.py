"""`dgqc demo`: the demo model in float and compiled, drawing the same prompts side by side."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.table import Table

from .compiler.driver import compile
from .compiler.samples import shown
from .demo_model import load_pipeline, pipeline_dir, prompts
from .demo_model.evaluate import GUIDANCE, alignment, draw_with, evaluation_scenes
from .execution.compiled_program import CompiledProgram
from .frontends.calibrating.calibrate import calibrate
from .frontends.calibrating.calibration_file import load_calibration
from .ir.calibration import Calibration
from .ir.progress import track
from .picture_grid import write_grid
from .report.quality import signal_to_noise
from .report.table import table

PRESETS = ("w8a8", "w4a6")
PROMPTS = 16
"""Prompts to calibrate with; the demo model's are few words from a small grammar."""


@dataclass(frozen=True)
class DemoRow:
    """One program's figures.

    size_mb: of weights and tables, decimal. bops_t: 10^12 bit operations a call. alignment: share of the
    attributes named by the prompts that the pictures show. signal_to_noise_db: of one call's output; None
    for the float model. seconds: for drawing all pictures, by the clock; the program is built before.
    """

    name: str
    size_mb: float
    bops_t: float
    alignment: float
    signal_to_noise_db: float | None
    seconds: float


@dataclass(frozen=True)
class DemoOutcome:
    """What the demo found, and the grid of pictures it wrote. threads: that everything drew with."""

    rows: tuple[DemoRow, ...]
    picture: Path
    threads: int

    def to_json(self) -> dict[str, Any]:
        rows = [asdict(row) for row in self.rows]
        return {"rows": rows, "picture": str(self.picture), "threads": self.threads}


def run_demo(output: Path, *, steps: int, pictures: int) -> DemoOutcome:
    """Compiles the demo model at each of `PRESETS` and draws with all of them.

    output: where the calibration (kept for the next time), the bundles and the pictures go.
    """
    output.mkdir(parents=True, exist_ok=True)
    calibration = _calibration(output, steps)
    programs = {}
    for preset in track(PRESETS, "compiling", len(PRESETS)):
        programs[preset] = compile(pipeline_dir(), preset, calibration=calibration, check=False, parts="unet")
        programs[preset].save(output / f"demo.{preset}.dgqc")
        programs[preset].build()  # Or the first drawing would be timed with a C compiler's work.
    scenes = evaluation_scenes(pictures)
    captions = [scene.caption() for scene in scenes]
    columns: dict[str, NDArray[np.uint8]] = {}
    rows = []
    for name in track(("float", *PRESETS), "drawing", 1 + len(PRESETS)):
        start = time.perf_counter()
        columns[name] = _draw(programs.get(name), captions, steps)
        seconds = time.perf_counter() - start
        rows.append(_row(name, programs, calibration, alignment(columns[name], scenes), seconds))
    picture = output / "demo.png"
    write_grid(picture, captions, columns)
    return DemoOutcome(tuple(rows), picture, torch.get_num_threads())


def as_table(outcome: DemoOutcome) -> Table:
    """For a terminal."""
    made = table("program", "size MB", "TBOPs a call", "alignment %", "signal to noise dB", "drawing s")
    for row in outcome.rows:
        noise = "-" if row.signal_to_noise_db is None else f"{row.signal_to_noise_db:.1f}"
        made.add_row(
            row.name,
            f"{row.size_mb:.2f}",
            f"{row.bops_t:.4f}",
            f"{100 * row.alignment:.1f}",
            noise,
            f"{row.seconds:.1f}",
        )
    return made


def _calibration(output: Path, steps: int) -> Calibration:
    file = output / f"calibration-{PROMPTS}-prompts-{steps}-steps.safetensors"
    if file.is_file():
        return load_calibration(file)
    return calibrate(
        pipeline_dir(),
        prompts()[:PROMPTS],
        steps,
        file,
        batch_size=8,
        guidance_scale=GUIDANCE,
        progress=shown("recording UNet calls"),
    )


def _draw(program: CompiledProgram | None, captions: Sequence[str], steps: int) -> NDArray[np.uint8]:
    pipeline = load_pipeline()
    if program is not None:
        pipeline.unet = program.as_diffusers_unet(pipeline.unet)
    return draw_with(pipeline, list(captions), list(range(len(captions))), steps)


def _row(
    name: str,
    programs: dict[str, CompiledProgram],
    calibration: Calibration,
    aligned: float,
    seconds: float,
) -> DemoRow:
    summary = next(iter(programs.values())).report["summary"]
    if name not in programs:
        macs = 1e9 * summary["macs_g"]
        return DemoRow("float", summary["float_size_mb"], 2 * macs * 32 * 32 / 1e12, aligned, None, seconds)
    own = programs[name].report["summary"]
    noise = signal_to_noise(programs[name], load_pipeline().unet, calibration)
    return DemoRow(name, own["size_mb"], own["bops_t"], aligned, noise, seconds)
