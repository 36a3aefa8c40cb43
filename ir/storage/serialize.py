"""Programs on disk: `program.json` with graphs and plans, `program.safetensors` with every tensor; in folders
beside them (`64x96/`) the same model at other sizes, with the tensors alone that are not the first's.

Loading runs no code from the files: ops come from an allow-list, names must be plain identifiers, tensors
are safetensors. Weights of 2, 3 and 4 bits are packed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ..errors import DgqcError
from ..level import Level
from ..program import Input, Program
from ..schedule import Schedule
from ..tensors import equal_tensors, share_constants
from .container import DOCUMENT, read_container, write_container
from .encoding import KEEP, decode, encode
from .graph_json import graph_from_json, graph_to_json
from .program_schema import WEIGHT_BITS, SavedProgramRecord
from .schema import checked


def save_program(program: Program, directory: str | Path) -> None:
    """Writes a program into a folder, which is made where it doesn't exist. Calibration isn't saved.

    Raises DgqcError when the program holds something that has no saved form.
    """
    tensors: dict[str, torch.Tensor] = {}
    body = _stored(program, tensors)
    if program.sizes:
        body["sizes"] = list(program.sizes)
    write_container(Path(directory), body, tensors)
    for name, other in program.sizes.items():
        own: dict[str, torch.Tensor] = {}
        body = _stored(other, own)
        write_container(Path(directory) / name, body, _without(own, tensors))


def load_program(directory: str | Path) -> Program:
    """The program in a folder that `save_program` wrote. Its calibration is None.

    Raises DgqcError when a file is missing, altered, truncated, of another format, or holds what no program
    holds.
    """
    folder = Path(directory)
    body, tensors = read_container(folder)
    program = _loaded(folder, body, tensors)
    sizes = {}
    for name in body.get("sizes", []):
        other, own = read_container(folder / name)
        sizes[name] = _loaded(folder / name, other, {**tensors, **own})
        share_constants(sizes[name].graph, program.graph)
        if (sizes[name].level, sizes[name].schedule) != (program.level, program.schedule):
            raise DgqcError(f"{folder / name} is another program than the one it belongs to; copy it again.")
    return replace(program, sizes=sizes)


def _without(own: Mapping[str, torch.Tensor], first: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors that are not the first program's."""
    return {key: one for key, one in own.items() if key not in first or not equal_tensors(one, first[key])}


def _loaded(folder: Path, body: Any, tensors: dict[str, torch.Tensor]) -> Program:
    """A program without its other sizes, from what its folder holds and what it shares."""
    # What compares and what is compared stay apart: the values themselves are as they were read.
    checked(SavedProgramRecord, body, str(folder / DOCUMENT), "save the program again with this dgqc")
    try:
        return _from_json(body, tensors)
    except DgqcError:
        raise
    except Exception as error:  # A crafted file may break anything; none of it is the user's to read.
        raise DgqcError(f"{folder} isn't a program that this dgqc can load: {error}.") from error


def program_to_bytes(program: Program) -> dict[str, bytes]:
    """What `save_program` would write, by file name."""
    with TemporaryDirectory(prefix="dgqc-") as folder:
        save_program(program, folder)
        files = (path for path in Path(folder).rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def program_hash(program: Program) -> str:
    """A SHA-256 over all that makes a program what it is: what passes reported doesn't, but weights' widths.

    Raises DgqcError as `save_program` does.
    """
    widths = {WEIGHT_BITS: program.report.get(WEIGHT_BITS, {})}
    tensors: dict[str, torch.Tensor] = {}
    body = _stored(replace(program, report=widths), tensors)
    seen = hashlib.sha256(json.dumps(body, sort_keys=True, allow_nan=False).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().contiguous()
        seen.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        seen.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return seen.hexdigest()


def program_from_bytes(files: Mapping[str, bytes]) -> Program:
    """The program that `program_to_bytes` gave. Raises DgqcError as `load_program` does."""
    with TemporaryDirectory(prefix="dgqc-") as folder:
        for name, content in files.items():
            place = Path(folder) / name
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(content)
        return load_program(folder)


def _stored(program: Program, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    """A program as JSON. Fills `tensors` by the keys that stand there."""
    try:
        body = _to_json(program, tensors)
    except (TypeError, ValueError) as error:
        raise DgqcError(f"The {program.level} program can't be saved: {error}.") from error
    on_meta = next((name for name, tensor in tensors.items() if tensor.device.type == "meta"), None)
    if on_meta is not None:
        raise DgqcError(f"The program can't be saved: {on_meta} has a shape but no values; load the weights.")
    return body


def _to_json(program: Program, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    keep = tensors.__setitem__
    report = dict(program.report)
    json.dumps(report, allow_nan=False)
    prologue = None if program.prologue is None else graph_to_json(program.prologue, "prologue", {}, keep)
    return {
        "level": program.level.value,
        "schedule": program.schedule.to_json(),
        "facts": sorted(program.facts),
        "batched": program.batched,
        "inputs": [
            {
                "name": item.name,
                "shape": list(item.shape),
                "scale": encode(item.scale, f"input/{item.name}", keep),
                **_exponent(item, keep),
            }
            for item in program.inputs
        ],
        "output_scale": encode(program.output_scale, "output", keep),
        "loop": encode(program.loop, "loop", keep),
        **_factors(program, keep),
        **({} if program.tokenizer is None else {"tokenizer": encode(program.tokenizer, "tokenizer", keep)}),
        **({} if program.picture is None else {"picture": encode(program.picture, "picture", keep)}),
        "plans": {name: encode(plan, f"plan/{name}", keep) for name, plan in program.plans.items()},
        "layout": encode(program.layout),
        "report": report,
        "graph": graph_to_json(program.graph, "graph", report.get(WEIGHT_BITS, {}), keep),
        "prologue": prologue,
    }


def _factors(program: Program, keep: KEEP) -> dict[str, Any]:
    """Nothing where a scheduler's coefficients stay."""
    if program.step_factors is None:
        return {}
    return {"step_factors": encode(program.step_factors, "step_factors", keep)}


def _exponent(item: Input, keep: KEEP) -> dict[str, Any]:
    """Nothing where all of an input has one scale, so that such programs are written as they were before."""
    if item.exponent is None:
        return {}
    return {"exponent": encode(item.exponent, f"input/{item.name}/exponent", keep)}


def _from_json(body: Any, tensors: dict[str, torch.Tensor]) -> Program:
    prologue = body["prologue"]
    return Program(
        graph=graph_from_json(body["graph"], "graph", tensors),
        level=Level(body["level"]),
        inputs=tuple(
            Input(
                item["name"],
                tuple(item["shape"]),
                decode(item["scale"], None, tensors),
                decode(item.get("exponent"), None, tensors),
            )
            for item in body["inputs"]
        ),
        schedule=Schedule.from_json(body["schedule"]),
        # What older programs say of their layout under these names isn't read: a backend plans it again.
        facts=frozenset(body["facts"]) - (frozenset() if "layout" in body else {"streams", "memory-plan"}),
        plans={name: decode(plan, None, tensors) for name, plan in body["plans"].items()},
        prologue=None if prologue is None else graph_from_json(prologue, "prologue", tensors),
        output_scale=decode(body["output_scale"], None, tensors),
        loop=decode(body.get("loop"), None, tensors),
        step_factors=decode(body.get("step_factors"), None, tensors),
        tokenizer=decode(body.get("tokenizer"), None, tensors),
        picture=decode(body.get("picture"), None, tensors),
        layout=decode(body.get("layout")),
        report=body["report"],
        batched=bool(body["batched"]),
    )
