"""Damages files that dgqc reads, thousands of times: `python benchmarks/damaged_files.py [--cases 1000]`.

Each case is one file of a kind, changed at random, and read in a process of its own with a limit of time and
memory. Counted is what becomes of it:

    refused    a DgqcError: one printable line of bounded length
    same       read as what it was: the change was in what nobody reads
    other      read as something else
    raw        another exception, or a message that is none
    hang       no answer within the time
    dead       the process ended by a signal

`other` is right where a file says something else and nothing betrays it: a weight in safetensors, a number in
a config. It is wrong for bundles, exported archives and pickles, which carry checksums.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from damage import damaged

SECONDS = 20
MEMORY = 12 * 2**30
OUTCOMES = ("refused", "same", "other", "raw", "hang", "dead")


@dataclass(frozen=True)
class Kind:
    """A kind of input: a folder that is whole, the file in it that is damaged, and the door it comes in by.

    read: returns a text that says what was read. Two files of one meaning give the same.
    """

    folder: Path
    file: str
    read: Callable[[Path], str]


def meaning(*parts: Any) -> str:
    """A hash of tensors, mappings and whatever has a repr."""
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, torch.Tensor):
            found.update(str(part.dtype).encode() + str(tuple(part.shape)).encode())
            found.update(
                part.detach().contiguous().view(torch.uint8).numpy().tobytes() if part.numel() else b""
            )
        elif isinstance(part, Mapping):
            found.update(meaning(*(item for key in sorted(part) for item in (key, part[key]))).encode())
        else:
            found.update(repr(part).encode())
    return found.hexdigest()


def read_model(path: Path) -> str:
    from dgqc.frontends.loading.load import load_model

    loaded = load_model(path)
    config = {key: value for key, value in loaded.config.items() if not key.startswith("_")}
    return meaning(dict(loaded.model.state_dict()), config, loaded.scheduler, loaded.context_length)


def read_schedule(path: Path) -> str:
    from dgqc.frontends.schedules import schedule_for
    from dgqc.ir.storage.json_text import read_json_object

    return meaning(schedule_for(read_json_object(path), 5)[1])


def read_pipeline(path: Path) -> str:
    from dgqc.frontends.loading.load import config_only

    found = config_only(path)
    return meaning(
        found.scheduler, found.context_length, {k: v.shape for k, v in found.model.state_dict().items()}
    )


def read_calibration(path: Path) -> str:
    from dgqc.frontends.calibrating.calibration_file import load_calibration

    found = load_calibration(path)
    batches = [dict(batch) for step in range(len(found.schedule)) for batch in found.read(step)]
    return meaning(found.schedule, *batches)


def read_bundle(path: Path) -> str:
    from dgqc.bundle.bundle import read

    found = read(path)
    tensors = dict(found.program.graph.state_dict())
    return meaning(found.program.schedule, found.provenance, tensors, str(found.program.graph.graph))


def inputs_reader(bundle: Path) -> Callable[[Path], str]:
    """Reads a file for `dgqc run --inputs`, up to the integers that go into the program."""
    import dgqc
    from dgqc.execution.boundary import to_integers
    from dgqc.execution.named_inputs import check_inputs
    from dgqc.execution.one_call import _read

    compiled = dgqc.load(bundle)

    def read(path: Path) -> str:
        values = _read(path)
        check_inputs(values, compiled.provenance.inputs)
        return meaning(to_integers(compiled.program, {name: v[:1] for name, v in values.items()}, 0))

    return read


def kinds(work: Path) -> dict[str, Kind]:
    """A whole folder of each kind, made from a small model."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    import architectures
    from safetensors.torch import save_file

    import dgqc
    from dgqc.demo_model import pipeline_dir
    from dgqc.frontends import load_calibration, schedule_for, synthesize
    from dgqc.frontends.calibrating.calibration_file import Recording, save_calibration

    unet = architectures.unconditional()
    folders = {name: work / name for name in ("unet", "pickles", "calibration", "inputs")}
    unet.save_pretrained(folders["unet"])
    for folder in folders.values():
        folder.mkdir(exist_ok=True)
    unet.save_config(folders["pickles"])
    torch.save(unet, folders["pickles"] / "module.pt")
    torch.save(unet.state_dict(), folders["pickles"] / "weights.pt")
    torch.save(unet.state_dict(), folders["pickles"] / "legacy.pt", _use_new_zipfile_serialization=False)
    size = int(unet.config["sample_size"])
    sample = torch.randn(1, int(unet.config["in_channels"]), size, size)
    torch.export.save(
        torch.export.export(unet, (sample, torch.tensor([5])), strict=False), folders["pickles"] / "unet.pt2"
    )
    scheduler, schedule = schedule_for(None, 3)
    made = synthesize(unet, scheduler, schedule, samples=2)
    recording = Recording(schedule, True, "synthetic", "", (0,), None, made.versions)
    calls = ((s, b, batch) for s in range(3) for b, batch in enumerate(made.read(s)))
    save_calibration(folders["calibration"] / "samples.safetensors", recording, calls)
    load_calibration(folders["calibration"] / "samples.safetensors")
    save_file({"sample": sample}, folders["inputs"] / "inputs.safetensors")
    bundle = work / "small.dgqc"
    dgqc.compile(unet, "w4a6", steps=3, samples=2).save(bundle)
    pipeline = Path(shutil.copytree(pipeline_dir(), work / "pipeline"))
    return {
        "config": Kind(folders["unet"], "config.json", lambda path: read_model(path.parent)),
        "safetensors": Kind(
            folders["unet"], "diffusion_pytorch_model.safetensors", lambda path: read_model(path.parent)
        ),
        "module": Kind(folders["pickles"], "module.pt", read_model),
        "state dict": Kind(folders["pickles"], "weights.pt", read_model),
        "legacy pickle": Kind(folders["pickles"], "legacy.pt", read_model),
        "archive": Kind(folders["pickles"], "unet.pt2", read_model),
        "scheduler": Kind(pipeline / "scheduler", "scheduler_config.json", read_schedule),
        "pipeline": Kind(pipeline, "model_index.json", lambda path: read_pipeline(path.parent)),
        "calibration": Kind(folders["calibration"], "samples.safetensors", read_calibration),
        "inputs": Kind(folders["inputs"], "inputs.safetensors", inputs_reader(bundle)),
        "manifest": Kind(bundle, "manifest.json", lambda path: read_bundle(path.parent)),
        "report": Kind(bundle, "report.json", lambda path: read_bundle(path.parent)),
        "program": Kind(bundle, "program/program.json", lambda path: read_bundle(path.parents[1])),
        "integers": Kind(bundle, "program/program.safetensors", lambda path: read_bundle(path.parents[1])),
    }


def outcome(read: Callable[[Path], str], path: Path, whole: str) -> str:
    """What becomes of a file; read in a child, which answers through a pipe."""
    reading_end, writing_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading_end)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        answer = _answer(read, path, whole)
        os.write(writing_end, answer.encode("utf-8", "replace")[:4000])
        os._exit(0)
    os.close(writing_end)
    deadline = time.monotonic() + SECONDS
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(reading_end)
            return "hang"
        time.sleep(0.002)
    with os.fdopen(reading_end, "rb") as pipe:
        return pipe.read().decode() or "dead"


def _answer(read: Callable[[Path], str], path: Path, whole: str) -> str:
    from dgqc.ir.errors import LONGEST_MESSAGE, DgqcError

    try:
        return "same" if read(path) == whole else "other"
    except DgqcError as error:
        text = str(error)
        good = text.isprintable() and len(text) <= LONGEST_MESSAGE
        return "refused" if good else f"raw a message of {len(text)} characters"
    except BaseException as error:
        return f"raw {type(error).__name__}: {error}"


def run(cases: int, seed: int, only: list[str], keep: Path | None) -> None:
    """Damages `cases` files of each kind, and prints a table."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    with tempfile.TemporaryDirectory() as folder:
        for name, kind in kinds(Path(folder)).items():
            if only and name not in only:
                continue
            path = kind.folder / kind.file
            data, whole = path.read_bytes(), kind.read(path)
            for case in range(cases):
                changed = damaged(data, kind.file, random.Random(f"{seed} {name} {case}"))
                path.write_bytes(changed)
                said = outcome(kind.read, path, whole)
                counts[name][said.split(" ")[0]] += 1
                if keep and said.startswith(("raw", "hang", "dead")):
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{name}-{case}-{Path(kind.file).name}".replace(" ", "-")).write_bytes(changed)
                    print(f"{name} {case}: {said[:300]}", file=sys.stderr)
            path.write_bytes(data)
            print(name, dict(counts[name]), file=sys.stderr, flush=True)
    print("| file | cases | " + " | ".join(OUTCOMES) + " |\n" + "| --- " * (len(OUTCOMES) + 2) + "|")
    for name, found in counts.items():
        row = [name, str(sum(found.values())), *(str(found[one]) for one in OUTCOMES)]
        print("| " + " | ".join(row) + " |")
    total = sum(counts.values(), Counter())
    print(json.dumps(dict(total)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=100, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=[], metavar="KIND")
    parser.add_argument("--keep", type=Path, help="a folder for files with a bad outcome")
    given = parser.parse_args()
    run(given.cases, given.seed, given.only, given.keep)


if __name__ == "__main__":
    main()
