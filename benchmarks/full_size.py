"""Compiles Stable Diffusion v1.4's UNet at full size, and writes down what that takes.

    python benchmarks/full_size.py WORK [--presets w8a8 w4a6] [--steps 25] [--samples 2]
        [--threads 2] [--verify]

WORK holds the model (random weights with a fixed seed), its calibration and the bundles, about 7 GB; model
and calibration are made once. `dgqc compile` runs as a process of its own, then `make` and the emitted test
program, which says whether the reference's bits come out. Prints JSON. --verify also runs `dgqc verify` at
one step.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import child
from stable_diffusion import calibration_file, model_folder

HERE = Path(__file__).parent
DGQC = (Path(sys.executable).parent / "dgqc",)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("work", type=Path)
    parser.add_argument("--presets", nargs="+", default=["w8a8", "w4a6"])
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--verify", action="store_true")
    given = parser.parse_args()
    size = ("--steps", str(given.steps), "--samples", str(given.samples))
    maker = (sys.executable, HERE / "stable_diffusion.py")
    found: dict[str, Any] = {"threads": given.threads, "steps": given.steps, "samples": given.samples}
    for what in ("model", "calibration"):
        made = child.run((*maker, what, given.work, *size), threads=given.threads)
        found[f"making the {what}, s (0 where it was there)"] = round(made.seconds, 1)
    calibration = calibration_file(given.work, given.steps, given.samples)
    for preset in given.presets:
        print(f"compiling at {preset}", file=sys.stderr, flush=True)
        found[preset] = compiled(given.work, preset, calibration, given.threads, given.verify)
    print(json.dumps(found, indent=2))


def compiled(work: Path, preset: str, calibration: Path, threads: int, verify: bool) -> dict[str, Any]:
    """One preset's figures: seconds, gigabytes of memory, megabytes on disk."""
    bundle = work / f"{preset}.dgqc"
    shutil.rmtree(bundle, ignore_errors=True)  # dgqc leaves a bundle alone that something was built in
    command = ("compile", model_folder(work), "-O", preset, "--calib", calibration, "-o", bundle, "--timing")
    made = child.run((*DGQC, *command), threads=threads)
    project = bundle / "c"
    built = child.run(("make", "-C", project, "-j", str(threads)), threads=threads)
    ran = child.run((project / "model_test", project / "model_weights.bin"), threads=threads)
    report = json.loads(child.run((*DGQC, "report", bundle, "--json"), threads=threads).output)
    figures = {
        "compile, s": round(made.seconds, 1),
        "compile, CPU s": round(made.cpu, 1),
        "compile, peak GB": round(made.peak / 1e9, 2),
        "passes": [line for line in made.output.splitlines() if " s " in line],
        "bundle, MB": megabytes(bundle),
        "weights, MB": megabytes(project / "model_weights.bin"),
        "make, s": round(built.seconds, 1),
        "make, peak GB": round(built.peak / 1e9, 2),
        "test program": ran.output.strip(),
        "test program, s": round(ran.seconds, 1),
        "test program, peak MB": round(ran.peak / 1e6),
        "arena, MB": round(report["arena_bytes"] / 1e6, 1),
        "size_mb": round(report["size_mb"], 1),
    }
    if verify:
        checked = child.run((*DGQC, "verify", bundle, "--steps-sampled", "1", "--json"), threads=threads)
        figures["verify"] = json.loads(checked.output)
        figures["verify, s"] = round(checked.seconds, 1)
    return figures


def megabytes(path: Path) -> float:
    """Decimal megabytes of a file, or of all files of a folder but what `make` built."""
    files = [path] if path.is_file() else path.rglob("*")
    built = path / "c" / "build"
    return round(sum(f.stat().st_size for f in files if f.is_file() and built not in f.parents) / 1e6, 1)


if __name__ == "__main__":
    main()
