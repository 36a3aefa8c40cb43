"""The two models that are timed, with what is needed to begin. Imports neither torch nor dgqc."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stable_diffusion import calibration_file, model_folder

BENCHMARKS = Path(__file__).parents[1]
DEMO = BENCHMARKS.parent / "examples" / "demo_model"
DGQC = Path(sys.executable).parent / "dgqc"
STEPS, SAMPLES, PROMPTS = 25, 2, 16
"""Of a calibration that isn't there yet."""


@dataclass(frozen=True)
class Model:
    """folder: what dgqc compiles. tokens: of the context. together: whether everybody's fits into memory."""

    folder: Path
    calibration: Path
    tokens: int
    together: bool


def prepared(name: str, work: Path, calibration: Path | None) -> Model:
    """The model with its calibration, made where they are missing.

    name: "demo" or "stable-diffusion". calibration: a file there is already; None records one into `work`.
    """
    if name == "demo":
        model = Model(DEMO / "pipeline", calibration or work / "calibration.safetensors", 16, True)
        prompts = ("--prompts", DEMO / "prompts.txt", "--limit", PROMPTS, "--steps", STEPS)
        if not model.calibration.exists():
            run((DGQC, "calibrate", model.folder, *prompts, "-o", model.calibration))
        return model
    model = Model(model_folder(work), calibration or calibration_file(work, STEPS, SAMPLES), 77, False)
    for what, file in (("model", model.folder), ("calibration", model.calibration)):
        if not file.exists():
            size = ("--steps", STEPS, "--samples", SAMPLES)
            run((sys.executable, BENCHMARKS / "stable_diffusion.py", what, work, *size))
    return model


def gmacs(model: Model, work: Path) -> float:
    """10^9 multiply-accumulates of a call, in linear layers, convolutions and attention."""
    command = (DGQC, "report", model.folder, "-O", "fp32", "--context-length", model.tokens, "--json")
    return float(remembered(work / "made" / "model.json", command)["macs_g"])


def remembered(file: Path, command: Sequence[object], *, after: Sequence[Path] = ()) -> dict[str, Any]:
    """The JSON that a command prints, kept in a file, and printed anew when one of `after` is younger, or
    gone."""

    def holds() -> bool:
        kept = file.stat().st_mtime
        return all(one.exists() and one.stat().st_mtime <= kept for one in after)

    if not (file.exists() and holds()):
        print(f"making {file.stem}", file=sys.stderr, flush=True)
        printed = run(command)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(printed)
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def run(command: Sequence[object]) -> str:
    """What a command prints. Raises SystemExit with what it complains about when it fails."""
    arguments = [str(part) for part in command]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
