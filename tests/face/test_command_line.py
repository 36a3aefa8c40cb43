"""What users get wrong, and what the command line answers: one line, exit code 2, no traceback."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from PIL import Image

from dgqc.cli import console
from dgqc.cli import main as command_line
from dgqc.compiler import driver as compiler
from dgqc.compiler import prepare
from dgqc.demo_model import pipeline_dir
from dgqc.execution.compiled_program import CompiledProgram
from dgqc.frontends import capture
from dgqc.frontends.calibrating.calibration_file import Recording, save_calibration
from dgqc.ir.schedule import Schedule
from dgqc.passes.manager.presets import pipeline_for

Run = Callable[..., tuple[int, str, str]]


def calibration(path: Path, channels: int = 3, value: float = 0.5, calls: int = 3) -> Path:
    """A calibration file with one sample for each call."""
    schedule = Schedule("DDIMScheduler", tuple(float(999 - 300 * i) for i in range(calls)))
    recording = Recording(schedule, False, "test", "", (0,), None, {})
    sample = torch.full((1, channels, 8, 8), value)
    save_calibration(path, recording, [(i, 0, {"sample": sample + i}) for i in range(calls)])
    return path


def refused(outcome: tuple[int, str, str], message: str) -> None:
    code, _, error = outcome
    assert code == 2
    assert message in error
    assert "Traceback" not in error
    assert "Internal error" not in error
    assert len(error.strip().splitlines()) == 1


def test_too_little_memory_is_said_before_a_library_aborts(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (700 * 2**20, resource.RLIM_INFINITY))
    refused(run("report", "nowhere.pt"), "may use 700 MiB of memory, but PyTorch alone needs")


def test_a_broken_neighbour_is_named(tmp_path: Path) -> None:
    """As a torchvision that was built for another torch, beside which diffusers can't be imported."""
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text("raise RuntimeError('no operator nms')")
    (tmp_path / "torchvision-0.1.0.dist-info").mkdir()
    (tmp_path / "torchvision-0.1.0.dist-info" / "METADATA").write_text("Name: torchvision\nVersion: 0.1.0\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", "dgqc.cli.main", "report", "nowhere.pt"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    refused((done.returncode, done.stdout, done.stderr), "torchvision 0.1.0 can't be imported beside torch")
    assert "(no operator nms)" in done.stderr
    assert "pip uninstall torchvision" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_without_a_command_it_lists_them(run: Run, arguments: list[str]) -> None:
    code, output, error = run(*arguments)
    assert (code, error) == (0, "")
    assert output.lstrip().startswith("Usage: dgqc")
    assert "compile " in output


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"dgqc {version('dgqc')}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compile", "nowhere.pt"], "nowhere.pt does not exist"),
        (["compile", "MODEL", "-O", "w3a9"], "There is no preset 'w3a9'"),
        (["compile", "MODEL", "-O", "w4a6,edges=1"], "edges is one of"),
        (["compile", "MODEL", "--pass-pipeline", "bogus-pass"], "There is no pass 'bogus-pass'"),
        (["compile", "MODEL", "--pass-pipeline", "lower-integer"], "lower-integer takes the planned level"),
        (["compile", "MODEL", "--target", "fpga"], "There is no target"),
        (["compile", "MODEL", "--calib", "nowhere.safetensors"], "does not exist"),
        (
            ["compile", "MODEL", "--calib", "MODEL"],
            "is a folder; give the .safetensors that `dgqc calibrate`",
        ),
        (["compile", "FILE"], "config.json holds no weights; give its folder"),
        (["compile", "MODEL", "--guidance-scale", "nan"], "Invalid value for '--guidance-scale'"),
        (["compile", "MODEL", "--guidance-scale", "1e30"], "Invalid value for '--guidance-scale'"),
        (["compile", "MODEL", "--seed", "4294967296"], "Invalid value for '--seed'"),
        (["draw", "nowhere", "a square", "--seed", "4294967296"], "Invalid value for '--seed'"),
        (["compile", "MODEL", "--sample-size", "8"], "height x width"),
        (["compile", "MODEL", "--print-ir-after", "bogus"], "the pipeline holds no such pass"),
        (["compile", "MODEL", "--steps", "0"], "--steps"),
        (["compile", "MODEL", "--look-ahead", "maybe"], "Invalid value for '--look-ahead': 'maybe' is not"),
        (["compile", "MODEL", "--name", "1 model"], "symbols of C begin with it"),
        (["compile", "MODEL", "-o", "FILE/out"], "config.json is a file, so"),
        (["calibrate", "MODEL", "-o", "MODEL"], "is a folder; give the name of a file"),
        (["calibrate", "MODEL", "-o", "FILE/c.safetensors"], "config.json is a file, so"),
        (["calibrate", "nowhere", "-o", "c.safetensors"], "nowhere does not exist"),
        (["demo", "-o", "FILE/demo"], "config.json is a file, so"),
        (["draw", "nowhere", "a square", "-o", "square.txt"], "square.txt ends in none of .png"),
        (["report", "MODEL", "--html", "MODEL"], "is a folder; give the name of a file"),
        (["passes", "--target", "c"], "name the preset with --pipeline"),
        (["compile"], "Missing argument 'MODEL'. See dgqc compile --help."),
        (["verify", "nowhere"], "does not exist"),
        (["report", "nowhere.json"], "does not exist"),
        (["passes", "--pipeline", "w9"], "There is no preset"),
        (["opt", "nowhere", "--pass-pipeline", "simulate"], "is not a folder"),
        (["frobnicate"], "No such command"),
        (["--verion"], "No such option: --verion"),
    ],
)
def test_wrong_input(run: Run, model_folder: Path, arguments: list[str], message: str) -> None:
    places = {"MODEL": str(model_folder), "FILE": str(model_folder / "config.json")}
    for name, place in places.items():
        arguments = [one.replace(name, place) for one in arguments]
    refused(run(*arguments), message)


def test_letters_that_an_output_does_not_have_are_spelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path in Latin-1 on a terminal in UTF-8, or any path where Python's output is ASCII."""
    kept = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(kept, encoding="ascii"))
    assert command_line.run(["--version"]) == 0
    console.result("Wrote caf\udce9 and café.")
    sys.stdout.flush()
    assert kept.getvalue().splitlines()[-1] == rb"Wrote caf\udce9 and caf\xe9."


def test_closed_streams_take_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `>&-` and `2>&-` leave them."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert command_line.run(["targets", "--json"]) == 0
    assert command_line.run(["report", "nowhere"]) == 2


def test_a_bundle_that_draws_nothing_says_only_that(run: Run, saved: Path) -> None:
    refused(run("draw", saved, "a square"), "draws no pictures from prompts")


def test_output_that_is_no_bundle(run: Run, model_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    refused(run("compile", model_folder, "-o", tmp_path), "is not a dgqc bundle, so it is left alone")


def test_output_that_is_a_file(run: Run, model_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    refused(run("compile", model_folder, "-o", tmp_path / "file"), "is not a folder")


def test_calibration_of_another_schedule(run: Run, model_folder: Path, tmp_path: Path) -> None:
    file = calibration(tmp_path / "c.safetensors")
    refused(
        run("compile", model_folder, "--calib", file, "--steps", 25), "recorded with DDIMScheduler at 3 calls"
    )


def test_calibration_of_another_model(run: Run, model_folder: Path, tmp_path: Path) -> None:
    file = calibration(tmp_path / "c.safetensors", channels=4)
    refused(run("compile", model_folder, "--calib", file), "has shape 4 x 8 x 8 per sample")


def test_calibration_with_nan(run: Run, model_folder: Path, tmp_path: Path) -> None:
    file = calibration(tmp_path / "c.safetensors", value=float("nan"))
    refused(run("compile", model_folder, "--calib", file), "not finite")


def test_timestep_of_another_schedule(run: Run, saved: Path) -> None:
    refused(run("run", saved, "--timestep", 5), "allow the nearest step with --allow-nearest-step")
    code, _, error = run("run", saved, "--timestep", 5, "--allow-nearest-step", "--backend", "reference")
    assert code == 0
    assert "the nearest" in error


def test_unknown_backend(run: Run, saved: Path) -> None:
    refused(run("run", saved, "--backend", "tpu"), "There is no backend 'tpu'")


def test_inputs_and_outputs_that_are_no_files(run: Run, saved: Path, tmp_path: Path) -> None:
    inputs = tmp_path / "inputs.safetensors"
    for kept in (b"", b"\0" * 8, b"\xff" * 100, b"\x08\0\0\0\0\0\0\0[[[[[[[["):
        inputs.write_bytes(kept)
        refused(run("run", saved, "--inputs", inputs), "inputs.safetensors can't be read")
    refused(
        run("run", saved, "--backend", "reference", "-o", tmp_path), "is a folder; give the name of a file"
    )


def test_full_disk_and_interruption(
    run: Run, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device", "/somewhere")

    monkeypatch.setattr(compiler, "compile_with_samples", full)
    refused(
        run("compile", model_folder, "-o", tmp_path / "out"), "No space is left on the disk for /somewhere"
    )

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compiler, "compile_with_samples", interrupted)
    code, _, error = run("compile", model_folder, "-o", tmp_path / "out")
    assert code == command_line.INTERRUPTED
    assert error.startswith("dgqc: interrupted")
    assert not (tmp_path / "out").exists()


def test_compile_with_nothing_else(
    run: Run, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, error = run("compile", model_folder, "--steps", 2, "--samples", 1)
    assert code == 0, error
    assert "Wrote unet.w4a6.dgqc" in out
    assert "2 calls of DDIM with Stable Diffusion's betas are assumed" in error
    assert "ranges come from 1 sample denoised from noise" in error
    assert (tmp_path / "unet.w4a6.dgqc" / "manifest.json").is_file()


def test_the_summary_says_what_was_kept_wider_and_what_it_costs(
    run: Run, model_folder: Path, program: CompiledProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {
        "calls": [0, 2],
        "before": [27.31, 12.34],
        "after": [40.0, 38.9],
        "wide-operands": {"conv_in.input": 16, "conv_out.input": 8},
        "wide-weights": {},
        "of": {"operands": 30, "weights": 31},
        "bytes": 1536,
        "sixteen-bit-percent": 4.5,
        "added-percent": 2.0,
    }
    found = CompiledProgram(program.program, program.provenance, {**program.report, "keep-wide": kept})
    monkeypatch.setattr(compiler, "compiled_as_asked", lambda request: found)
    code, out, error = run("compile", model_folder, "-o", tmp_path / "out", "--target", "reference")
    assert code == 0, error
    assert (
        "Kept wider: 2 of 30 operands, since the worst call had 12.3 dB; in simulation it has 38.9. They "
        "cost 1.5 KiB of weights, 4.5 % of multiply-adds in 16 bits, and 2 % more of them."
    ) in out
    _, told, _ = run("report", tmp_path / "out")
    assert "kept wider" in told
    assert "1.5 KiB of weights" in " ".join(told.split())


def test_stop_after_and_opt(run: Run, model_folder: Path, tmp_path: Path) -> None:
    graph = tmp_path / "graph"
    code, _, error = run("compile", model_folder, "--steps", 2, "--stop-after", "insert-sites", "-o", graph)
    assert code == 0, error
    code, out, error = run("opt", graph, "--pass-pipeline", "quantize-weights{bits=4}", "--timing")
    assert code == 0, error
    assert out.startswith("program planned: 2 calls")
    assert "quantize-weights" in error


def test_passes(run: Run) -> None:
    _, out, _ = run("passes", "--pipeline", "w4a6")
    assert out.strip() == pipeline_for("w4a6")
    _, out, _ = run("passes", "--json")
    found = {one["name"]: one["summary"] for one in json.loads(out)}
    assert {"kmeans-groups", "lower-integer"} <= found.keys()
    assert all(summary.endswith((".", ":")) for summary in found.values())
    assert found["split-start-token"].endswith("(DGQ section 3.3, eq. 8-9).")
    _, out, _ = run("passes")
    assert max(map(len, out.splitlines())) <= 80
    assert "planned to integer" in out


def test_verify(run: Run, saved: Path) -> None:
    code, out, _ = run("verify", saved, "--backends", "c", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["bit_exact"] is True
    assert found["backends"] == ["reference", "c"]
    assert found["skipped"] == {}
    assert found["elements"] == 3 * 5 * 3 * 8 * 8


def test_what_was_learned_before_is_said_to_be_there(
    run: Run, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it, each time from the model itself: an interrupted compile goes on from there."""
    monkeypatch.setattr(prepare, "capture", capture)
    monkeypatch.setenv("DGQC_CACHE", str(tmp_path / "cache"))
    options = ["-O", "tfmq-w8a8,iterations=1", "--steps", 1, "--samples", 1, "-o", tmp_path / "out"]
    first = run("compile", model_folder, *options)
    again = run("compile", model_folder, *options)
    assert (first[0], again[0]) == (0, 0)
    assert "units were found" not in first[2]
    kept = len(list((tmp_path / "cache").rglob("*.safetensors")))
    assert f"brecq: {kept} of {kept} units were found in {tmp_path / 'cache'}" in again[2]


def test_pictures_that_cannot_be_meant_are_refused(run: Run, tmp_path: Path) -> None:
    """Rather than drawn without, which would be another calibration."""
    compiled = ("compile", str(pipeline_dir()), "-o", str(tmp_path / "out"), "--pictures")
    refused(run(*compiled, str(tmp_path / "nowhere")), "nowhere is no folder")
    Image.new("RGB", (8, 8)).save(tmp_path / "one.png")
    refused(run(*compiled, str(tmp_path)), "takes no pictures; leave --pictures out")
    assert not (tmp_path / "out").exists()
